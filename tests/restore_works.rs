//! Restores of a real server's data: what is live afterwards, what is kept, and that it can be undone.
#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;

use deployment::{Deployment, UNIT, command, names_in, wait_until};
use homeserver::{Fingerprint, Homeserver};
use juju_sim::TaskOutcome;
use serde_json::json;

/// A filled server on which Synapse has done what it does by itself after its first start, so that two looks at it are alike.
fn settled() -> (Deployment, Homeserver) {
    let deployment = Deployment::with_backups("ours");
    let homeserver = Homeserver::fill(&deployment);
    let count = "import sqlite3, sys; database = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True); \
                 print(database.execute('SELECT count(*) FROM background_updates').fetchone()[0])";
    let database = deployment.data().join("homeserver.db");
    wait_until(
        || {
            command("python3", |python| {
                python.args(["-c", count]).arg(&database)
            })
            .trim()
                == "0"
        },
        || "background updates go on".to_owned(),
    );
    (deployment, homeserver)
}

/// The names on the volume that belong to jobs.
fn jobs(deployment: &Deployment) -> Vec<String> {
    let mut names = names_in(&deployment.data());
    names.retain(|name| name.starts_with(".restore-") || name == ".synapse-charm");
    names
}

#[test]
fn restore_brings_back_everything_and_can_be_undone_and_discarded() {
    let (deployment, mut homeserver) = settled();
    let [cached, page] = ["media_store/remote_content/aa/one", "templates/page.html"];
    for file in [cached, page] {
        deployment.write(file, b"of the backup");
    }
    deployment.configure([(
        "backup_extra_paths",
        "/data/templates,/data/media_store/remote_content",
    )]);
    let backup = deployment.create_backup();
    let before = Fingerprint::of(&deployment);
    let then = homeserver.clone();
    homeserver.add_messages(&deployment, 2);
    homeserver.add_media(&deployment, 5000);
    fs::remove_dir_all(deployment.data().join("media_store/remote_content")).unwrap();
    deployment.write(page, b"of later");
    let extra = || {
        let read = |file| fs::read_to_string(deployment.data().join(file)).ok();
        (read(cached), read(page))
    };
    let [of_the_backup, of_later] = ["of the backup", "of later"].map(|text| Some(text.to_owned()));

    let outcome = deployment.done("restore-backup", json!({"backup-id": backup}));
    assert_eq!(outcome.result("result"), Some("correct"), "{outcome:?}");
    assert_eq!(outcome.result("warnings"), None, "{outcome:?}");
    assert_eq!(extra(), (of_the_backup.clone(), of_the_backup.clone()));
    let first = outcome.result("restore-id").unwrap();
    then.assert_told_by(&deployment);
    Fingerprint::of(&deployment).assert_is(&before, "after the restore");
    assert_eq!(jobs(&deployment), [format!(".restore-{first}")]);
    let shown = deployment.shown(UNIT);
    assert_eq!(shown.workload, "active", "{shown:?}");
    assert!(shown.message.contains(first), "{shown:?}");

    let outcome = deployment.done("undo-restore", json!({"restore-id": first}));
    homeserver.assert_told_by(&deployment);
    assert_eq!(extra(), (None, of_later));
    let second = outcome.result("restore-id").unwrap();
    assert_eq!(jobs(&deployment), [format!(".restore-{second}")]);

    let known = |outcome: &TaskOutcome| outcome.result("what-to-know").unwrap().to_owned();
    let said = known(&outcome);
    assert!(
        said.starts_with("The data from before the restore is live again"),
        "{said}"
    );

    // An undo can be undone.
    let outcome = deployment.done("undo-restore", json!({}));
    let said = known(&outcome);
    assert!(said.contains("what the restore had brought"), "{said}");
    then.assert_told_by(&deployment);
    assert_eq!(extra(), (of_the_backup.clone(), of_the_backup));
    let [third] = jobs(&deployment).try_into().unwrap();
    assert_ne!(third, format!(".restore-{second}"));

    let outcome = deployment.done("discard-old-data", json!({}));
    assert_eq!(outcome.result("discarded"), third.strip_prefix(".restore-"));
    assert_eq!(jobs(&deployment), [""; 0]);
    assert!(!deployment.shown(UNIT).message.contains("restore"));
    let refused = deployment.refused(UNIT, "undo-restore", json!({}));
    assert!(refused.contains("no data from before"), "{refused}");
    then.assert_told_by(&deployment);
}

#[test]
fn parts_of_a_backup_are_restored_and_the_rest_stays() {
    let (deployment, mut homeserver) = settled();
    let backup = deployment.create_backup();
    let before = Fingerprint::of(&deployment);
    let then = homeserver.clone();
    homeserver.add_messages(&deployment, 1);
    homeserver.add_media(&deployment, 5000);

    let wish = json!({"backup-id": backup, "components": "database"});
    let outcome = deployment.done("restore-backup", wish);
    assert!(
        outcome
            .result("restored")
            .unwrap()
            .contains("the database with 3 users")
    );
    assert_eq!(
        outcome.result("media-without-file"),
        Some("0"),
        "{outcome:?}"
    );
    then.assert_told_by(&deployment);
    let changed = Fingerprint::of(&deployment).differences(&before);
    // The file of what was uploaded since is still there, though nobody knows of it.
    assert!(
        !changed.is_empty()
            && changed
                .iter()
                .all(|part| part.starts_with("media media_store/local_content/")),
        "{changed:?}"
    );

    let key = deployment.data().join("a.example.signing.key");
    let good = fs::read(&key).unwrap();
    deployment.write(
        "a.example.signing.key",
        b"ed25519 a_lost AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    );
    let wish = json!({"backup-id": backup, "components": "keys"});
    let outcome = deployment.done("restore-backup", wish);
    assert!(
        !outcome.result("restored").unwrap().contains("database"),
        "{outcome:?}"
    );
    assert_eq!(fs::read(&key).unwrap(), good);
    then.assert_told_by(&deployment);
    assert_eq!(jobs(&deployment).len(), 2);
    // Nothing is said of what was not touched.
    assert_eq!(outcome.result("one-time-keys-removed"), None, "{outcome:?}");
    let undone = deployment.done("undo-restore", json!({}));
    for outcome in [&outcome, &undone] {
        let said = outcome.result("what-to-know").unwrap();
        assert!(
            said.contains("Database and media were not touched"),
            "{said}"
        );
    }
    assert_ne!(fs::read(&key).unwrap(), good);
}
