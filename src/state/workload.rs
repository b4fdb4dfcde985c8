//! What is in the workload container: the volume, Pebble's plan, and whether Synapse serves.

mod known;
mod volume;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jujuna::Juju;
use pebble_client::{Client, Error, ErrorKind, ExitStatus, ServiceStatus};
use secrecy::SecretString;

use super::Memory;
use crate::backup::S3Parameters;
use crate::backup::restore::journal::Journal;
use crate::backup::restore::on_volume::{self, Folder};
use crate::error_chain::error_chain;
use crate::plan::Condition;
use crate::synapse::identity::Identity;
use crate::synapse::layer::{CurrentPlan, RunAs};
use crate::synapse::{admin_api, names};

/// The label of the application's secret that holds a copy of the identity.
pub const IDENTITY_LABEL: &str = "identity";

/// The workload container, as far as this unit has to do with it.
#[derive(Debug)]
pub enum Workload {
    /// Not looked at: there is no volume, or no need.
    Unread,
    /// Pebble does not answer, because the container is not up.
    NotConnectable,
    /// Pebble answers, but not as it should, or not in time.
    Unreadable(Condition),
    /// Synapse is none of this unit's business, or not yet.
    Bystander {
        /// Whether Synapse runs all the same.
        running: bool,
    },
    /// A job is open on the main unit's volume. Nothing else is looked at before it is over.
    Busy(Box<Busy>),
    /// The main unit's container.
    Ready(Box<Ready>),
}

/// An open job.
#[derive(Debug)]
pub struct Busy {
    /// Its journal, or why it cannot be followed.
    pub journal: Result<Journal, String>,
    /// As whom Synapse can be run.
    pub run_as: RunAs,
}

/// The main unit's container.
#[derive(Debug)]
pub struct Ready {
    /// What is on the volume.
    pub volume: Volume,
    /// What is known of the identity beside the volume.
    pub known: KnownIdentity,
    /// Pebble's plan.
    pub plan: CurrentPlan,
    /// The service that runs Synapse.
    pub service: Service,
    /// As whom Synapse can be run.
    pub run_as: RunAs,
    /// Whether Synapse says that it serves.
    pub healthy: bool,
    /// Whether the service runs that wakes the charm while a job is open.
    pub waker: bool,
    /// The folders of restores on the volume.
    pub restores: Vec<Folder>,
}

/// What is on the volume.
#[derive(Debug, Clone, Default)]
pub struct Volume {
    /// The user that owns its top.
    pub owner: Option<u32>,
    /// Whether there is a database.
    pub has_database: bool,
    /// The files of the identity, in the order of [`identity::files`](crate::synapse::identity::files).
    pub identity: [Option<SecretString>; 4],
    /// The servers whose signing keys are there.
    pub server_names: Vec<String>,
    /// The files at its top, with their sizes in bytes.
    pub sizes: BTreeMap<String, u64>,
    /// What is there in place of a file that root could read or trust without harm.
    pub fault: Option<String>,
}

/// What is known of the identity beside the volume. Read only when it is needed.
#[derive(Debug, Clone, Default)]
pub struct KnownIdentity {
    /// The server name and identity in the application's secret.
    pub copy: Option<(String, Identity)>,
    /// The name of the server that this unit remembers to have lived.
    pub existed: Option<String>,
    /// Whether finished backups of this server exist; asked only when the volume is empty and
    /// nothing else tells that it lived.
    pub has_backups: bool,
    /// Why S3 could not say so just now, although it is set up.
    pub unanswered: Option<String>,
    /// A new identity, should one be needed.
    pub fresh: Option<Identity>,
    /// Whether this unit leads; asked only when the copy may have to be written.
    pub leads: bool,
}

/// The service that runs Synapse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// What Pebble says of it; none when it is not in the plan.
    pub status: Option<ServiceStatus>,
    /// Since when.
    pub since: Option<Timestamp>,
}

impl Service {
    /// Whether Pebble says that it runs.
    pub fn is_active(&self) -> bool {
        self.status == Some(ServiceStatus::Active)
    }

    pub(crate) async fn read(pebble: &Client) -> Result<Self, Error> {
        Ok(Self::read_with_waker(pebble).await?.0)
    }

    /// The same, and whether the service runs that wakes the charm.
    async fn read_with_waker(pebble: &Client) -> Result<(Self, bool), Error> {
        let services = pebble.services(&[names::SERVICE, names::WAKER]).await?;
        let waker = services
            .iter()
            .any(|service| service.name == names::WAKER && service.is_active());
        let synapse = services
            .into_iter()
            .find(|service| service.name == names::SERVICE)
            .map_or_else(Self::default, |service| Self {
                status: Some(service.current),
                since: service.current_since,
            });
        Ok((synapse, waker))
    }
}

/// Returns whether Synapse runs where it should not, or none of it matters.
pub(super) async fn read_bystander(pebble: &Client) -> Workload {
    match Service::read(pebble).await {
        Ok(service) => {
            let stopped = matches!(service.status, None | Some(ServiceStatus::Inactive));
            Workload::Bystander { running: !stopped }
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &Error) -> Workload {
    if error.is_connection_problem() {
        return Workload::NotConnectable;
    }
    Workload::Unreadable(pebble_condition(error))
}

/// Returns what an error of Pebble's means for the status: a machine that hangs for a minute is
/// nothing that someone must mend.
pub(crate) fn pebble_condition(error: &Error) -> Condition {
    let text = format!("synapse: {}", error_chain(error));
    if error.kind() == ErrorKind::Timeout {
        Condition::waiting(text)
    } else {
        Condition::blocked(text)
    }
}

/// Returns the open job of the main unit, if there is one; or why the container cannot be asked.
pub(super) async fn read_job(pebble: &Client) -> Option<Workload> {
    let read = async {
        let Some(journal) = on_volume::read_journal(pebble).await? else {
            return Ok(None);
        };
        Ok(Some((journal, pebble.plan().await?)))
    };
    let (journal, plan) = match read.await {
        Ok(Some(read)) => read,
        Ok(None) => return None,
        Err(error) => return Some(unreadable(&error)),
    };
    let planned = CurrentPlan::parse(&plan)
        .ok()
        .and_then(|plan| plan.run_as());
    let run_as = match planned {
        Some(run_as) => run_as,
        None => match ask_run_as(pebble).await {
            Ok(run_as) => run_as,
            Err(workload) => return Some(workload),
        },
    };
    Some(Workload::Busy(Box::new(Busy { journal, run_as })))
}

/// Returns the state of the main unit's container.
pub(super) async fn read(
    server_name: &str,
    memory: &Memory,
    store: Option<&S3Parameters>,
    juju: &Juju,
    pebble: &Client,
) -> anyhow::Result<Workload> {
    let read = async {
        tokio::try_join!(
            volume::read(server_name, pebble),
            pebble.plan(),
            Service::read_with_waker(pebble),
            healthy()
        )
    };
    let (volume, plan, (service, waker), healthy) = match read.await {
        Ok(read) => read,
        Err(error) => return Ok(unreadable(&error)),
    };
    let restores = match read_restores(&volume, pebble).await {
        Ok(restores) => restores,
        Err(error) => return Ok(unreadable(&error)),
    };
    let plan = CurrentPlan::parse(&plan).context("cannot read Pebble's plan")?;
    let run_as = match plan.run_as() {
        Some(run_as) => run_as,
        None => match ask_run_as(pebble).await {
            Ok(run_as) => run_as,
            Err(workload) => return Ok(workload),
        },
    };
    let known = known::read(server_name, &volume, memory, store, juju).await?;
    let healthy = healthy && service.is_active();
    Ok(Workload::Ready(Box::new(Ready {
        volume,
        known,
        plan,
        service,
        run_as,
        healthy,
        waker,
        restores,
    })))
}

async fn read_restores(volume: &Volume, pebble: &Client) -> Result<Vec<Folder>, Error> {
    let mut restores = Vec::new();
    for path in volume.sizes.keys() {
        let name = path.strip_prefix(names::RESTORE_STAGING);
        if let Some(restore) = name.and_then(|name| name.parse().ok()) {
            restores.push(on_volume::read_folder(pebble, restore).await?);
        }
    }
    Ok(restores)
}

async fn healthy() -> Result<bool, Error> {
    Ok(admin_api::is_healthy().await)
}

/// Asks the container whether it has root, by the one program that every image has.
async fn ask_run_as(pebble: &Client) -> Result<RunAs, Workload> {
    let ask = pebble.exec([
        "python3",
        "-I",
        "-S",
        "-c",
        "import os; print(os.geteuid())",
    ]);
    match ask.timeout(Duration::from_secs(30)).output().await {
        Ok(answer) => run_as(answer.status, &answer.stdout).map_err(Workload::Unreadable),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Only an answer is believed: a Synapse that was run as root by mistake leaves files that it
/// cannot open as anyone else.
fn run_as(status: ExitStatus, stdout: &[u8]) -> Result<RunAs, Condition> {
    let what = match status {
        ExitStatus::Exited(0) => {
            let said = String::from_utf8_lossy(stdout);
            match said.trim().parse::<u32>() {
                Ok(0) => return Ok(RunAs::Synapse),
                Ok(_) => return Ok(RunAs::Unchanged),
                Err(_) => "python3 did not say its user id".to_owned(),
            }
        }
        ExitStatus::Exited(code) => format!("python3 ended with {code}"),
        passing => {
            return Err(Condition::waiting(format!(
                "synapse: cannot tell as whom the container runs ({passing:?}); looked at again by the next hook"
            )));
        }
    };
    Err(Condition::blocked(format!(
        "synapse: cannot tell as whom the container runs: {what}; use an image whose python3 works"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Level;

    fn asked(status: ExitStatus, stdout: &str) -> Result<RunAs, Condition> {
        run_as(status, stdout.as_bytes())
    }

    #[test]
    fn user_is_known_only_from_an_answer() {
        assert_eq!(asked(ExitStatus::Exited(0), "0\n"), Ok(RunAs::Synapse));
        assert_eq!(asked(ExitStatus::Exited(0), "991\n"), Ok(RunAs::Unchanged));
        for (status, stdout, level) in [
            (ExitStatus::TimedOut, "", Level::Waiting),
            (ExitStatus::Signaled(9), "", Level::Waiting),
            (ExitStatus::Unknown, "", Level::Waiting),
            (ExitStatus::StdioHeld, "", Level::Waiting),
            (ExitStatus::Exited(1), "0\n", Level::Blocked),
            (ExitStatus::Exited(0), "", Level::Blocked),
        ] {
            let condition = asked(status, stdout).unwrap_err();
            assert_eq!(condition.level, level, "{status:?}");
            assert!(condition.text.contains("as whom"), "{}", condition.text);
        }
    }
}
