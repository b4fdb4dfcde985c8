//! The steps of a job that touch what is live. Each can be taken again after it was killed.

use std::time::Duration;

use jiff::Timestamp;
use pebble_client::{ChangeId, Client, LayerMode};

use super::drive::{Broken, Driver};
use crate::apply::workload;
use crate::backup::restore::gates;
use crate::backup::restore::journal::Kind;
use crate::backup::restore::kept::Record;
use crate::backup::restore::moves::{self, SurveyOrder};
use crate::backup::restore::renames::{self, Rename};
use crate::state::Service;
use crate::synapse::layer::Layer;
use crate::synapse::names;

/// Longer than a service's kill-delay.
const SERVICE_WAIT: Duration = Duration::from_secs(40);

/// Lets Pebble wake the charm, and nothing else. What runs goes on running. Returns Pebble's change, which ends when Pebble
/// has seen the waker run for a second.
pub(super) async fn wake(driver: &Driver<'_>) -> Result<ChangeId, Broken> {
    let layer = Layer::of_job(driver.run_as).to_yaml();
    let layer = layer.map_err(|error| Broken::Failed(error.to_string()))?;
    let pebble = driver.pebble;
    pebble
        .add_layer(names::LAYER_LABEL, &layer, LayerMode::Combine)
        .await?;
    Ok(pebble.start(&[names::WAKER]).await?)
}

/// Lets Pebble wake the charm, too, while Synapse goes on as it is.
pub(super) async fn wake_early(driver: &Driver<'_>) -> Result<(), Broken> {
    let pebble = driver.pebble;
    if Service::read(pebble).await?.status.is_some() {
        pebble.start(&[names::WAKER]).await?;
    } else {
        // There is no Synapse that the job's layer could disturb.
        wake(driver).await?;
    }
    Ok(())
}

/// Waits until it is certain that the charm is woken.
pub(super) async fn be_woken(pebble: &Client, waking: &ChangeId) -> Result<(), Broken> {
    pebble.wait_change(waking, SERVICE_WAIT).await?;
    Ok(())
}

/// Stops what wakes the charm.
pub(in crate::apply) async fn stop_waker(pebble: &Client) -> Result<(), pebble_client::Error> {
    let change = pebble.stop(&[names::WAKER]).await?;
    pebble.wait_change(&change, SERVICE_WAIT).await?;
    Ok(())
}

/// Stops Synapse, if it runs, and looks. The start of the waker is not waited for.
pub(super) async fn stop(pebble: &Client, waking: Option<&ChangeId>) -> Result<(), Broken> {
    workload::let_changes_end(pebble, waking).await?;
    if Service::read(pebble).await?.status.is_some() {
        let change = pebble.stop(&[names::SERVICE]).await?;
        pebble.wait_change(&change, SERVICE_WAIT).await?;
    }
    if Service::read(pebble).await?.is_active() {
        return Err(Broken::Failed("Synapse does not stop".to_owned()));
    }
    Ok(())
}

/// Looks what is to be renamed. It is certain once nobody changes it any more.
pub(super) async fn plan_renames(driver: &Driver<'_>) -> Result<Vec<Rename>, Broken> {
    let journal = &driver.journal;
    let paths = |renames: &mut dyn Iterator<Item = &Rename>| -> Vec<String> {
        renames.map(|rename| rename.live.clone()).collect()
    };
    // An undo also takes away what the restore brought where nothing was before.
    let wanted = paths(&mut journal.renames.iter());
    let staged = paths(&mut journal.renames.iter().filter(|rename| rename.staged));
    let order = SurveyOrder {
        paths: renames::candidates(&wanted, journal.components, &[]),
        media_store: names::MEDIA_STORE.to_owned(),
        media: journal.components.media(),
        ..SurveyOrder::default()
    };
    let seen = moves::survey(driver.pebble, &order, true).await?;
    if !seen.elsewhere.is_empty() {
        let reasons: Vec<String> = (seen.elsewhere.iter())
            .map(|path| gates::elsewhere(path))
            .collect();
        return Err(Broken::Failed(reasons.join("; ")));
    }
    let candidates = renames::candidates(&wanted, journal.components, &seen.local);
    Ok(renames::plan(candidates, &staged, &seen.present))
}

/// Swaps, or swaps back. Synapse must not have the data open, whoever may have started it.
pub(super) async fn swap(driver: &Driver<'_>, back: bool) -> Result<(), Broken> {
    stop(driver.pebble, None).await?;
    moves::swap(driver.pebble, &driver.journal, names::JOURNAL, back).await?;
    Ok(())
}

/// Records what was put aside.
pub(super) async fn keep(driver: &Driver<'_>) -> Result<(), Broken> {
    let journal = &driver.journal;
    let record = Record::new(journal, Timestamp::now());
    let undone = journal
        .undoes
        .as_ref()
        .filter(|_| journal.kind == Kind::Undo);
    moves::keep(driver.pebble, &record, undone).await?;
    Ok(())
}
