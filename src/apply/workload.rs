//! What is done to the workload container.

use std::time::Duration;

use jiff::Timestamp;
use jujuna::{Juju, Status};
use pebble_client::{
    ChangeId, ChangeSelect, Client, ErrorKind, LayerMode, ServiceStatus, WriteFile,
};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, sleep};

use super::Halt;
use crate::backup::sweep;
use crate::decide::service_condition;
use crate::error_chain::error_chain;
use crate::plan::{Condition, PushFile};
use crate::state::{Memory, Service, ShownVersion};
use crate::synapse::layer::RunAs;
use crate::synapse::{admin_api, names};

/// For how long a hook waits for Synapse to answer. Later hooks look again: a schema migration
/// can take hours, and Pebble's check wakes the charm when it is over.
const HEALTH_WAIT: Duration = Duration::from_mins(1);
const HEALTH_POLL: Duration = Duration::from_millis(200);
/// Longer than the layer's kill-delay.
const STOP_WAIT: Duration = Duration::from_secs(40);
/// A restart stops first.
const START_WAIT: Duration = Duration::from_mins(1);
/// Kinds of changes that start and stop services.
const CHANGES_OF_SERVICES: [&str; 5] = ["autostart", "replan", "restart", "start", "stop"];
const CHOWN_WAIT: Duration = Duration::from_secs(30);

pub(super) async fn stop(pebble: &Client) -> Result<(), Halt> {
    let change = pebble.stop(&[names::SERVICE]).await?;
    pebble.wait_change(&change, STOP_WAIT).await?;
    Ok(())
}

/// Kubernetes mounts the volume owned by root. Pebble's API cannot change an owner.
pub(super) async fn own_volume(pebble: &Client) -> Result<(), Halt> {
    const CHOWN: &str = "import os, sys; os.chown(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))";
    let (uid, gid) = (names::UID.to_string(), names::GID.to_string());
    let command = [
        "python3",
        "-I",
        "-S",
        "-c",
        CHOWN,
        names::DATA_DIR,
        &uid,
        &gid,
    ];
    let chown = pebble.exec(command).timeout(CHOWN_WAIT).output().await?;
    if chown.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&chown.stderr);
    let cause = said.lines().last().unwrap_or_default();
    Err(Halt::Condition(Condition::blocked(format!(
        "storage: cannot give {} to user {uid}: {cause}",
        names::DATA_DIR
    ))))
}

pub(super) async fn push_file(file: PushFile, pebble: &Client) -> Result<(), Halt> {
    let mut write = WriteFile::new(&file.path).permissions(0o600);
    if file.run_as == RunAs::Synapse {
        write = write.user_id(names::UID).group_id(names::GID);
    }
    Ok(pebble
        .write_file(write, file.content.expose_secret().as_bytes())
        .await?)
}

pub(super) async fn add_layer(layer: &str, pebble: &Client) -> Result<(), Halt> {
    Ok(pebble
        .add_layer(names::LAYER_LABEL, layer, LayerMode::Combine)
        .await?)
}

pub(super) async fn replan(restarts: bool, juju: &Juju, pebble: &Client) -> Result<(), Halt> {
    if restarts {
        juju.status_set(&Status::Maintenance("starting Synapse".to_owned()))?;
    }
    let_changes_end(pebble, None).await?;
    let change = pebble.replan().await?;
    match pebble.wait_change(&change, START_WAIT).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::ChangeFailed => {
            tracing::error!("{}", error_chain(&error));
            // Of a job that went back because of it, the waker is started anew too, and fails again.
            if Service::read(pebble).await?.is_active() {
                return Ok(());
            }
            Err(not_running(&Service {
                status: Some(ServiceStatus::Error),
                since: None,
            }))
        }
        Err(error) => Err(error.into()),
    }
}

/// A dispatch that was killed leaves its change behind, and Pebble refuses to start what another change is stopping. One's
/// `own` change is not waited for.
pub(super) async fn let_changes_end(pebble: &Client, own: Option<&ChangeId>) -> Result<(), Halt> {
    for change in pebble.changes(ChangeSelect::InProgress, None).await? {
        if !CHANGES_OF_SERVICES.contains(&change.kind.as_str()) || own == Some(&change.id) {
            continue;
        }
        match pebble.wait_change(&change.id, START_WAIT).await {
            Ok(_) => {}
            // How it ended is for the replan to see.
            Err(error) if error.kind() == ErrorKind::ChangeFailed => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Waits until Synapse answers. Ends early when Pebble says that it ended.
pub(super) async fn await_health(pebble: &Client) -> Result<(), Halt> {
    let deadline = Instant::now() + HEALTH_WAIT;
    loop {
        if admin_api::is_healthy().await {
            return Ok(());
        }
        let service = Service::read(pebble).await?;
        if !service.is_active() || Instant::now() >= deadline {
            return Err(not_running(&service));
        }
        sleep(HEALTH_POLL).await;
    }
}

fn not_running(service: &Service) -> Halt {
    Halt::Condition(
        service_condition(service, false)
            .unwrap_or_else(|| Condition::waiting("synapse: starting")),
    )
}

/// Shows the version in `juju status`. That it cannot be had is no reason to stop.
pub(super) async fn show_version(
    juju: &Juju,
    pebble: &Client,
    memory: &mut Memory,
) -> Result<(), Halt> {
    let version = match admin_api::version().await {
        Ok(version) => version,
        Err(error) => {
            // At every hook of a Synapse that has no version to tell: not worth a line for admins.
            tracing::debug!("{error:#}");
            return Ok(());
        }
    };
    let since = Service::read(pebble).await?.since;
    if memory
        .version
        .as_ref()
        .is_none_or(|shown| shown.version != version)
    {
        juju.application_version_set(&version)?;
    }
    memory.version = Some(ShownVersion { version, since });
    Ok(())
}

pub(super) async fn require_database(pebble: &Client) -> Result<(), Halt> {
    match pebble.file_info(names::DATABASE).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Err(Halt::Refused(
            "Synapse has not made its database yet: look at juju status, then run start-empty again".to_owned(),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Removes what dead backups left. The next hook tries again.
pub(super) async fn sweep(pebble: &Client) {
    match sweep::sweep(pebble, Timestamp::now()).await {
        Ok(true) => tracing::info!("removed what a dead backup left on the volume"),
        Ok(false) => {}
        Err(error) => tracing::warn!("{}", error_chain(&error)),
    }
}
