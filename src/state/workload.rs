//! What is in the workload container: the volume, Pebble's plan, and whether Synapse serves.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jujuna::{Juju, Revision};
use pebble_client::{Client, Error, ServiceStatus};
use secrecy::SecretString;

use super::Memory;
use crate::backup::{S3Client, S3Error, S3Parameters, catalog};
use crate::synapse::identity::{self, Identity};
use crate::synapse::layer::{CurrentPlan, RunAs};
use crate::synapse::listing::list_folder;
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
    /// Pebble answers, but not as it should: what it says.
    Unreadable(String),
    /// Synapse is none of this unit's business, or not yet.
    Bystander {
        /// Whether Synapse runs all the same.
        running: bool,
    },
    /// The main unit's container.
    Ready(Box<Ready>),
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
}

/// What is on the volume.
#[derive(Debug, Clone, Default)]
pub struct Volume {
    /// The user that owns its top.
    pub owner: Option<u32>,
    /// Whether there is a database.
    pub has_database: bool,
    /// The files of the identity, in the order of [`identity::files`].
    pub identity: [Option<SecretString>; 4],
    /// The servers whose signing keys are there.
    pub server_names: Vec<String>,
    /// The files at its top, with their sizes in bytes.
    pub sizes: BTreeMap<String, u64>,
}

/// What is known of the identity beside the volume. Read only when it is needed.
#[derive(Debug, Clone, Default)]
pub struct KnownIdentity {
    /// The server name and identity in the application's secret.
    pub copy: Option<(String, Identity)>,
    /// Whether finished backups of this server exist; asked only when the volume is empty.
    pub has_backups: bool,
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
        let services = pebble.services(&[names::SERVICE]).await?;
        Ok(services
            .into_iter()
            .find(|service| service.name == names::SERVICE)
            .map_or_else(Self::default, |service| Self {
                status: Some(service.current),
                since: service.current_since,
            }))
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
    Workload::Unreadable(crate::report::chain(error))
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
            read_volume(server_name, pebble),
            pebble.plan(),
            Service::read(pebble),
            healthy()
        )
    };
    let (volume, plan, service, healthy) = match read.await {
        Ok(read) => read,
        Err(error) => return Ok(unreadable(&error)),
    };
    let plan = CurrentPlan::parse(&plan).context("cannot read Pebble's plan")?;
    let run_as = match plan.run_as() {
        Some(run_as) => run_as,
        None => match ask_run_as(pebble).await {
            Ok(run_as) => run_as,
            Err(error) => return Ok(unreadable(&error)),
        },
    };
    let known = read_known(server_name, &volume, memory, store, juju).await?;
    let healthy = healthy && service.is_active();
    Ok(Workload::Ready(Box::new(Ready {
        volume,
        known,
        plan,
        service,
        run_as,
        healthy,
    })))
}

async fn healthy() -> Result<bool, Error> {
    Ok(admin_api::is_healthy().await)
}

async fn read_volume(server_name: &str, pebble: &Client) -> Result<Volume, Error> {
    let Some(top) = list_folder(pebble, names::DATA_DIR).await? else {
        return Ok(Volume::default());
    };
    let mut volume = Volume {
        owner: pebble.file_info(names::DATA_DIR).await?.user_id,
        // SQLite makes an empty file before it writes the first table.
        has_database: top
            .iter()
            .any(|entry| entry.path == names::DATABASE && entry.size_bytes.unwrap_or_default() > 0),
        server_names: top
            .iter()
            .filter_map(|entry| {
                Some(
                    entry
                        .name
                        .strip_suffix(names::SIGNING_KEY_SUFFIX)?
                        .to_owned(),
                )
            })
            .collect(),
        sizes: top
            .iter()
            .map(|entry| (entry.path.clone(), entry.size_bytes.unwrap_or_default()))
            .collect(),
        ..Volume::default()
    };
    for (file, part) in identity::files(server_name)
        .iter()
        .zip(&mut volume.identity)
    {
        // An empty file is what a crash leaves, not a key.
        if volume.sizes.get(&file.path).is_some_and(|size| *size > 0) {
            let content = pebble.read_file(&file.path).await?;
            *part = Some(String::from_utf8_lossy(&content).into_owned().into());
        }
    }
    Ok(volume)
}

/// Asks the container whether it has root, by the one program that every image has.
async fn ask_run_as(pebble: &Client) -> Result<RunAs, Error> {
    let ask = pebble.exec([
        "python3",
        "-I",
        "-S",
        "-c",
        "import os; print(os.geteuid())",
    ]);
    let answer = ask.timeout(Duration::from_secs(30)).output().await?;
    Ok(if answer.stdout.trim_ascii() == b"0" {
        RunAs::Synapse
    } else {
        RunAs::Unchanged
    })
}

async fn read_known(
    server_name: &str,
    volume: &Volume,
    memory: &Memory,
    store: Option<&S3Parameters>,
    juju: &Juju,
) -> anyhow::Result<KnownIdentity> {
    let mut known = KnownIdentity::default();
    let whole = volume.identity.iter().all(Option::is_some);
    let digest = whole_identity(volume).map(|identity| identity.digest(server_name));
    if digest.is_none() || digest != memory.identity_copy {
        known.leads = juju.leader()?.is_some();
    }
    if whole && volume.has_database {
        return Ok(known);
    }
    known.copy = read_copy(juju)?;
    if !whole {
        known.fresh = Some(Identity::generate().context("cannot make an identity")?);
    }
    if let (None, false, Some(store)) = (&known.copy, volume.has_database, store) {
        // A fault of the backups' settings never keeps Synapse from starting.
        known.has_backups = has_backups(store, server_name)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!("cannot ask S3 whether {server_name} existed: {error}");
                false
            });
    }
    Ok(known)
}

async fn has_backups(store: &S3Parameters, server_name: &str) -> Result<bool, S3Error> {
    catalog::has_finished_backup_of(&S3Client::new(store)?, server_name).await
}

fn whole_identity(volume: &Volume) -> Option<Identity> {
    let [signing, macaroon, form, registration] = volume.identity.clone();
    Some(Identity::from_parts([
        signing?,
        macaroon?,
        form?,
        registration?,
    ]))
}

fn read_copy(juju: &Juju) -> anyhow::Result<Option<(String, Identity)>> {
    // The owner tracks a revision like anyone else: the newest is wanted.
    match juju.secret_get_by_label(IDENTITY_LABEL, Revision::Refresh) {
        Ok(content) => match Identity::from_secret(&content) {
            Ok(copy) => Ok(Some(copy)),
            Err(field) => {
                anyhow::bail!("the application's secret {IDENTITY_LABEL:?} has no field {field}")
            }
        },
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
