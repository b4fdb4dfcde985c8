//! What must hold after something was killed: Synapse serves, its data is whole, nothing is left, nothing secret is told.
//!
//! Include it by `#[path = "support/aftermath.rs"] mod aftermath;`, beside `deployment`, `homeserver` and `processes`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "no test uses all of it, it waits between two looks, and a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::deployment::{DEADLINE, Deployment, PASSPHRASE, UNIT, command, must, names_in};
use crate::homeserver::{Fingerprint, Homeserver};
use crate::processes::Processes;

/// What a homeserver tells, and what lies on its volume.
#[derive(Debug, Clone)]
pub struct Data {
    pub told: Homeserver,
    pub stored: Fingerprint,
}

impl Data {
    /// What is live now; waits until Synapse has written down all that follows from what it was told.
    pub fn live(deployment: &Deployment, told: &Homeserver) -> Self {
        let mut stored = Fingerprint::of(deployment);
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let later = Fingerprint::of(deployment);
            if later == stored {
                return Self {
                    told: told.clone(),
                    stored,
                };
            }
            stored = later;
        }
    }

    /// Fails unless this is live, whole.
    #[track_caller]
    pub fn assert_live(&self, deployment: &Deployment, when: &str) {
        let told = self.told.differences(deployment);
        assert!(told.is_empty(), "{when}: {told:#?}");
        Fingerprint::of(deployment).assert_is(&self.stored, when);
    }
}

/// Which of these is live; fails unless one is, whole.
#[track_caller]
pub fn which_is_live<'a>(deployment: &Deployment, candidates: &[&'a Data], when: &str) -> &'a Data {
    let live = Fingerprint::of(deployment);
    let found = candidates.iter().find(|data| data.stored == live);
    let differences: Vec<_> = candidates
        .iter()
        .map(|data| data.stored.differences(&live))
        .collect();
    let found = found.unwrap_or_else(|| panic!("{when}: none of them: {differences:#?}"));
    let told = found.told.differences(deployment);
    assert!(told.is_empty(), "{when}: {told:#?}");
    found
}

/// Whether a job that is on its way has touched nothing yet that is live.
pub fn has_untouched_journal(deployment: &Deployment) -> bool {
    let text = fs::read_to_string(journal(deployment)).unwrap_or_default();
    ["stage", "wake"]
        .iter()
        .any(|step| text.contains(&format!("\"step\":\"{step}\"")))
}

/// Waits until Synapse serves everybody, the unit is active and nothing is left to do, without any hook that comes by itself.
/// Returns how long it took: less than a minute, on a machine that has nothing else to do.
#[track_caller]
pub fn wait_until_it_serves(deployment: &Deployment, when: &str) -> Duration {
    let began = Instant::now();
    loop {
        let status = must(deployment.juju.status());
        let unit = status.unit(UNIT).unwrap();
        let rests = unit.workload.current == "active" && unit.agent.current == "idle";
        if rests && deployment.answers() && !has_journal(deployment) {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < DEADLINE,
            "{when}, it does not serve: {status}; journal {}\n{}",
            fs::read_to_string(journal(deployment)).unwrap_or_default(),
            deployment.log_end()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn journal(deployment: &Deployment) -> PathBuf {
    deployment.data().join(".synapse-charm/journal.json")
}

/// Whether a long job is on its way.
pub fn has_journal(deployment: &Deployment) -> bool {
    journal(deployment).exists()
}

/// The folders that hold data which a restore put aside.
pub fn kept(deployment: &Deployment) -> Vec<PathBuf> {
    let data = deployment.data();
    let folders = names_in(&data).into_iter().map(|name| data.join(name));
    folders
        .filter(|folder| folder.join("restored.json").exists())
        .collect()
}

/// What jobs left on the volume and in the workload, but for data that a restore put aside.
pub fn left_over(deployment: &Deployment) -> Vec<PathBuf> {
    let data = deployment.data();
    let tmp = deployment.container_root(UNIT).join("tmp");
    let kept = kept(deployment);
    let is_kept = |path: &Path| kept.iter().any(|folder| folder == path);
    let named = |folder: &Path, prefixes: &[&str]| -> Vec<PathBuf> {
        let names = names_in(folder).into_iter();
        let ours = names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        ours.map(|name| folder.join(name)).collect()
    };
    let mut left = named(&data, &[".backup-", ".restore-", ".verify-"]);
    left.retain(|path| !is_kept(path));
    left.extend(named(&tmp, &["synapse-charm-"]));
    left.extend(kept.iter().flat_map(|folder| named(folder, &["new"])));
    left.extend(has_journal(deployment).then(|| journal(deployment)));
    left
}

/// Fails unless nothing of any job runs or lies anywhere; hooks remove what is older than an hour.
#[track_caller]
pub fn assert_nothing_left(deployment: &Deployment, processes: &Processes, when: &str) {
    processes.wait_until_none_is_ours(when);
    let left = left_over(deployment);
    if left.is_empty() {
        return;
    }
    for path in &left {
        let name = path.file_name().unwrap().to_string_lossy();
        // A restore is known by its journal, and is swept at once; what is being freed, by the next hook.
        let is_restore = name.starts_with(".restore-") && !path.join("freed.json").exists();
        assert!(!is_restore, "{when} left {left:?}");
        assert!(!name.starts_with("journal"), "{when} left {left:?}");
        command("touch", |touch| touch.args(["-d", "2 hours ago"]).arg(path));
    }
    deployment.fire("update-status");
    deployment.settle();
    let left = left_over(deployment);
    assert!(left.is_empty(), "{when} left {left:?}");
}

/// Fails when a text that anybody may read holds a secret.
#[track_caller]
pub fn assert_tells_no_secret(deployment: &Deployment, text: &str, when: &str) {
    for secret in [PASSPHRASE, deployment.server.secret_key()] {
        assert!(!text.contains(secret), "{when}: a secret is told");
    }
}
