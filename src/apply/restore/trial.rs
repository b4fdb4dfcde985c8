//! The trial start: Synapse on the new data, for itself alone, until it is seen to be sound or not.

use std::time::Duration;

use jiff::Timestamp;
use pebble_client::ErrorKind;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, sleep};

use super::drive::{Broken, Driver, Patience};
use super::steps;
use crate::backup::restore::journal::Journal;
use crate::backup::restore::machine::{Next, Observation, Seen, next};
use crate::backup::restore::moves::{self, SurveyOrder};
use crate::backup::restore::on_volume;
use crate::plan::Condition;
use crate::state::Service;
use crate::synapse::identity::{self, Identity};
use crate::synapse::{admin_api, homeserver_yaml, names};

/// For how long a hook looks; the next one looks again.
const PATIENCE_OF_A_HOOK: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(200);
const START_WAIT: Duration = Duration::from_mins(1);

/// Starts Synapse with the identity that is on the volume now.
pub(super) async fn start(driver: &Driver<'_>) -> Result<(), Broken> {
    let Driver { pebble, run_as, .. } = driver;
    steps::stop(pebble, None).await?;
    let identity = read_identity(driver).await?;
    let bug = |error: serde_saphyr::ser::Error| Broken::Failed(error.to_string());
    let yaml =
        homeserver_yaml::render_trial(&driver.journal.server_name, &identity).map_err(bug)?;
    let log_config = homeserver_yaml::log_config().map_err(bug)?;
    on_volume::write(pebble, names::TRIAL_LOG_CONFIG, &log_config, *run_as).await?;
    on_volume::write(pebble, names::TRIAL_YAML, yaml.expose_secret(), *run_as).await?;
    let change = pebble.start(&[names::SERVICE]).await?;
    match pebble.wait_change(&change, START_WAIT).await {
        Ok(_) => Ok(()),
        // That it ended at once is for the judge to see.
        Err(error) if error.kind() == ErrorKind::ChangeFailed => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The keys on the volume. Of those that a backup may lack, all but the signing key may be others in a trial.
async fn read_identity(driver: &Driver<'_>) -> Result<Identity, Broken> {
    let fresh = Identity::generate().map_err(|error| Broken::Failed(error.to_string()))?;
    let mut parts = fresh.parts().map(Clone::clone);
    let files = identity::files(&driver.journal.server_name);
    for (index, (file, part)) in files.iter().zip(&mut parts).enumerate() {
        match driver.pebble.read_file(&file.path).await {
            Ok(content) if !content.is_empty() => {
                *part = SecretString::from(String::from_utf8_lossy(&content).into_owned());
            }
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ if index == identity::SIGNING_KEY => {
                return Err(Broken::Failed(format!("there is no {}", file.path)));
            }
            _ => {}
        }
    }
    Ok(Identity::from_parts(parts))
}

/// Looks at Synapse until it is known what to think of it, or until nobody may wait any longer.
pub(super) async fn judge(driver: &Driver<'_>) -> Result<Observation, Broken> {
    let began = Instant::now();
    loop {
        let observation = Observation::Trial(see(driver).await?, lasted(&driver.journal));
        let undecided = next(&driver.journal, &observation) == Next::LookAgain;
        let tired = driver.patience == Patience::OfAHook && began.elapsed() >= PATIENCE_OF_A_HOOK;
        if !undecided || tired {
            return Ok(observation);
        }
        sleep(POLL).await;
    }
}

async fn see(driver: &Driver<'_>) -> Result<Seen, Broken> {
    if !Service::read(driver.pebble).await?.is_active() {
        return Ok(Seen::Ended);
    }
    if !admin_api::is_healthy().await || !admin_api::answers().await {
        return Ok(Seen::Starting);
    }
    let Some(wanted) = driver.journal.users else {
        return Ok(Seen::Sound);
    };
    let order = SurveyOrder {
        media_store: names::MEDIA_STORE.to_owned(),
        database: Some(names::DATABASE.to_owned()),
        ..SurveyOrder::default()
    };
    Ok(
        match moves::survey(driver.pebble, &order, true).await?.users {
            Some(users) if users == wanted => Seen::Sound,
            Some(users) => Seen::Wrong(format!(
                "Synapse came up with {users} users, and the data has {wanted}"
            )),
            // Synapse may be writing just now.
            None => Seen::Starting,
        },
    )
}

/// A clock that was set back must not make a trial last for ever: it then counts from the other side.
fn lasted(journal: &Journal) -> Duration {
    let since = journal.trial_since.unwrap_or_else(Timestamp::now);
    Timestamp::now().duration_since(since).unsigned_abs()
}

/// What is said while the trial goes on.
pub(super) fn lasting(journal: &Journal) -> Condition {
    Condition::waiting(format!(
        "{}: Synapse is on trial and has not answered for {} min; it may be migrating its database",
        journal.called(),
        lasted(journal).as_secs() / 60
    ))
}
