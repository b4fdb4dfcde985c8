//! Backups that are killed midway: none looks finished, nothing goes on running, the next one succeeds, and Synapse has
//! not noticed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::path::PathBuf;

use deployment::{BUCKET, Deployment, UNIT, wait_until};
use processes::{Processes, synapse_since};

/// How `list-backups` may show a backup that was killed.
fn assert_none_finished(deployment: &Deployment, after: &str) {
    let listed = deployment.listed();
    assert!(!listed.is_empty(), "after {after} there is no trace of it");
    for (id, state) in listed {
        assert!(
            ["failed", "abandoned", "in progress"].contains(&state.as_str()),
            "after {after}, {id} is {state}"
        );
    }
}

/// One that succeeds; all are taken away again.
fn assert_next_succeeds(deployment: &Deployment, after: &str) {
    deployment.remove_endless_media();
    let id = deployment.create_backup();
    let listed = deployment.listed();
    assert_eq!(listed[0], (id, "finished".to_owned()), "after {after}");
    assert_eq!(
        deployment.server.incomplete_uploads(BUCKET),
        0,
        "after {after}"
    );
    for (id, _) in listed {
        deployment.server.remove(BUCKET, &format!("{id}/"));
    }
}

/// What jobs left in the workload's folders.
fn left_folders(deployment: &Deployment) -> Vec<PathBuf> {
    let folders = [
        deployment.data(),
        deployment.container_root(UNIT).join("tmp"),
    ];
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap().flatten());
    let jobs = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with(".backup-") || name.starts_with("synapse-charm-")
    });
    jobs.map(|entry| entry.path()).collect()
}

#[test]
fn create_backup_whose_tar_gpg_aws_or_charm_is_killed_fails_and_leaves_nothing() {
    let deployment = Deployment::with_backups("ours");
    let processes = Processes::of_unit(&deployment);
    let since = synapse_since(&deployment);
    assert!(since.is_some());
    for victim in ["tar", "gpg", "aws", "charm"] {
        deployment.add_endless_media();
        let task = deployment.begin("create-backup");
        processes.wait_for("aws");
        wait_until(
            || !deployment.juju.show_task(task).unwrap().log.is_empty(),
            || "no progress is told".to_owned(),
        );
        if victim == "charm" {
            deployment.juju.kill_charm(UNIT).unwrap();
        } else {
            processes.wait_for(victim).kill();
        }
        let outcome = deployment.end(task);
        assert_eq!(outcome.status, "failed", "{victim}: {outcome:?}");
        if victim != "charm" {
            let said = format!("{victim} of the media archive was ended by signal 9");
            assert!(outcome.message.contains(&said), "{}", outcome.message);
            assert!(
                outcome.message.contains("run create-backup again"),
                "{}",
                outcome.message
            );
        }
        processes.wait_until_none_is_ours(victim);
        deployment.settle();
        assert_none_finished(&deployment, victim);
        assert_next_succeeds(&deployment, victim);
        let left = left_folders(&deployment);
        assert!(left.is_empty(), "{victim} left {left:?}");
        assert_eq!(synapse_since(&deployment), since, "{victim}");
        deployment.wait_active(UNIT);
    }
}

#[test]
fn create_backup_whose_pebble_is_killed_or_restarted_fails_and_synapse_comes_back() {
    let deployment = Deployment::with_backups("upstream");
    let processes = Processes::of_unit(&deployment);
    for how in ["killed", "restarted"] {
        deployment.add_endless_media();
        let task = deployment.begin("create-backup");
        processes.wait_for("aws");
        let done = match how {
            "killed" => deployment.juju.kill_container(UNIT, "synapse"),
            _ => deployment.juju.restart_container(UNIT, "synapse"),
        };
        done.unwrap();
        let outcome = deployment.end(task);
        assert_eq!(outcome.status, "failed", "{how}: {outcome:?}");
        let said = "no backup was made (workload): ";
        assert!(outcome.message.contains(said), "{}", outcome.message);
        assert!(
            outcome.message.contains("run create-backup again"),
            "{}",
            outcome.message
        );
        processes.wait_until_none_is_ours(how);
        let active = || {
            let shown = deployment.shown(UNIT);
            shown.workload == "active" && synapse_since(&deployment).is_some()
        };
        wait_until(active, || format!("{how}: {:?}", deployment.shown(UNIT)));
        deployment.settle();
        assert_none_finished(&deployment, how);
        assert_next_succeeds(&deployment, how);
    }

    // Nobody was left to remove the folders of the killed ones: a hook does it when they are old.
    let left = left_folders(&deployment);
    assert!(!left.is_empty());
    for folder in left {
        deployment::command("touch", |touch| {
            touch.args(["-d", "2 hours ago"]).arg(folder)
        });
    }
    deployment.juju.fire(UNIT, "update-status").unwrap();
    deployment.settle();
    let left = left_folders(&deployment);
    assert!(left.is_empty(), "{left:?}");
}
