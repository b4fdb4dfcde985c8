//! Backups of the Python charm: listed, shown, verified and restored, with what their database's journal holds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/legacy.rs"]
mod legacy;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use deployment::{Deployment, UNIT, shipped};
use homeserver::{Fingerprint, Homeserver};
use legacy::{change_database, with_synapse_stopped};
use s3_server::S3Server;
use serde_json::json;

const HOT: &str = "backup-20250102030405123456";
const CLEAN: &str = "backup-20250203040506123456";
const DAMAGED: &str = "backup-20250304050607123456";

/// An image like that charm's, settings with which it would find its backups, and data.
fn deployed() -> (Deployment, Homeserver) {
    let deployment = Deployment::empty(S3Server::start());
    let image = shipped("python-charm");
    deployment.deploy("synapse", &image, &legacy::settings(&deployment));
    deployment.wait_active(UNIT);
    let homeserver = Homeserver::fill(&deployment);
    (deployment, homeserver)
}

fn back_up(deployment: &Deployment, id: &str) {
    let made = legacy::back_up(deployment, id);
    assert_eq!(made.exit_code, Some(0), "{made:?}");
}

/// What is on the server after its backup: another message, another file, and one file lost.
fn live_on(deployment: &Deployment, homeserver: &Homeserver) {
    let mut later = homeserver.clone();
    later.add_messages(deployment, 1);
    let id = later.add_media(deployment, 5000);
    let (one, two, rest) = (&id[..2], &id[2..4], &id[4..]);
    fs::remove_file(
        deployment
            .data()
            .join(format!("media_store/local_content/{one}/{two}/{rest}")),
    )
    .unwrap();
    let lost = homeserver.media.keys().next().unwrap();
    let (one, two, rest) = (&lost[..2], &lost[2..4], &lost[4..]);
    fs::remove_file(
        deployment
            .data()
            .join(format!("media_store/local_content/{one}/{two}/{rest}")),
    )
    .unwrap();
    assert_ne!(homeserver.differences(deployment), Vec::<String>::new());
}

#[test]
fn legacy_backup_whose_newest_message_is_in_the_journal_alone_is_restored_whole() {
    let (deployment, homeserver) = deployed();
    back_up(&deployment, HOT);
    let content = legacy::open(&deployment, HOT).join("data");
    let newest = &homeserver.messages.last().unwrap().0;
    let question = format!("SELECT count(*) FROM events WHERE event_id = '{newest}'");
    let database = content.join("homeserver.db");
    assert_eq!(legacy::ask_database(&database, &question), "1");
    fs::remove_file(content.join("homeserver.db-wal")).unwrap();
    assert_ne!(legacy::ask_database(&database, &question), "1");

    let listed = deployment.listed();
    assert_eq!(listed, [(HOT.to_owned(), "legacy".to_owned())]);
    deployment.done("show-backup", json!({"backup-id": HOT}));
    deployment.done("verify-backup", json!({"backup-id": HOT}));
    homeserver.assert_told_by(&deployment);

    live_on(&deployment, &homeserver);
    deployment.done("restore-backup", json!({"backup-id": HOT}));
    deployment.wait_active(UNIT);
    homeserver.assert_told_by(&deployment);
    assert!(
        !deployment.data().join("homeserver.db-journal").exists(),
        "a journal was restored"
    );
}

#[test]
fn legacy_backup_of_a_server_at_rest_is_restored_whole_and_in_parts() {
    let (deployment, homeserver) = deployed();
    with_synapse_stopped(&deployment, || {
        // As some admins keep one: the Python charm's pattern takes it in.
        let copy = deployment.data().join("homeserver.db.bak");
        fs::copy(deployment.data().join("homeserver.db"), &copy).unwrap();
        back_up(&deployment, CLEAN);
        fs::remove_file(copy).unwrap();
    });
    let content = legacy::open(&deployment, CLEAN).join("data");
    assert!(!content.join("homeserver.db-wal").exists(), "not at rest");

    live_on(&deployment, &homeserver);
    let before = Fingerprint::of(&deployment);
    deployment.done(
        "restore-backup",
        json!({"backup-id": CLEAN, "dry-run": true}),
    );
    Fingerprint::of(&deployment).assert_is(&before, "after a dry run");

    let key = deployment.data().join("a.example.signing.key");
    let genuine = fs::read(&key).unwrap();
    fs::write(
        &key,
        "ed25519 a_lost 8G1yHVAk6F/wy3qfvPaFLDGHjhPmnRlrS5b3eC4N1mM\n",
    )
    .unwrap();
    let parts = json!({"backup-id": CLEAN, "components": "keys"});
    deployment.done("restore-backup", parts);
    deployment.wait_active(UNIT);
    assert_eq!(fs::read(&key).unwrap(), genuine);
    assert_ne!(homeserver.differences(&deployment), Vec::<String>::new());

    deployment.done("restore-backup", json!({"backup-id": CLEAN}));
    deployment.wait_active(UNIT);
    homeserver.assert_told_by(&deployment);
}

#[test]
fn legacy_backup_with_a_damaged_database_is_refused_and_gives_its_keys_alone() {
    let (deployment, homeserver) = deployed();
    with_synapse_stopped(&deployment, || {
        let damage = "
content = bytearray(open(path, 'rb').read())
for page in range(len(content) // 4096 // 3, len(content) // 4096):
    content[page * 4096 + 100 : page * 4096 + 140] = b'\\xa5' * 40
open(path, 'wb').write(content)
";
        change_database(&deployment, damage, || back_up(&deployment, DAMAGED));
    });
    homeserver.assert_told_by(&deployment);
    let before = Fingerprint::of(&deployment);
    for action in ["verify-backup", "restore-backup"] {
        let said = deployment.refused(UNIT, action, json!({"backup-id": DAMAGED}));
        assert!(said.contains("database is damaged"), "{said}");
        Fingerprint::of(&deployment).assert_is(&before, action);
    }
    let said = deployment.refused(UNIT, "restore-backup", json!({"backup-id": DAMAGED}));
    assert!(said.contains("components=keys"), "{said}");
    let parts = json!({"backup-id": DAMAGED, "components": "keys"});
    deployment.done("restore-backup", parts);
    deployment.wait_active(UNIT);
    homeserver.assert_told_by(&deployment);
}

/// tar copies a database that is being written to: sometimes what it gets can be used, sometimes not. Whichever it is, the
/// charm says what SQLite itself says.
#[test]
fn legacy_backup_made_while_the_database_was_written_to_is_judged_as_sqlite_does() {
    let (deployment, homeserver) = deployed();
    let writer = "
import os, random, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
database.execute('PRAGMA journal_mode=WAL')
database.execute('PRAGMA wal_autocheckpoint=20')
database.execute('CREATE TABLE IF NOT EXISTS legacy_writer (id INTEGER PRIMARY KEY, value BLOB)')
while os.path.exists(sys.argv[2]):
    for _ in range(30):
        values = (random.randrange(3000), os.urandom(random.randrange(9000)))
        database.execute('INSERT OR REPLACE INTO legacy_writer VALUES (?, ?)', values)
database.execute('DROP TABLE legacy_writer')
";
    let ids: Vec<String> = (0..4)
        .map(|number| format!("backup-2025040506070800000{number}"))
        .collect();
    with_synapse_stopped(&deployment, || {
        let going_on = deployment.write("writing", b"");
        let stopped = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                legacy::run_as_synapse(&deployment, writer, &going_on);
                stopped.store(true, Ordering::Relaxed);
            });
            for id in &ids {
                // tar may say that the file changed, and the pipeline fails; the object is there all the same.
                let made = legacy::back_up(&deployment, id);
                assert!(!stopped.load(Ordering::Relaxed), "{made:?}");
            }
            fs::remove_file(&going_on).unwrap();
        });
    });
    for id in &ids {
        let database = legacy::open(&deployment, id).join("data/homeserver.db");
        let checked = legacy::ask_database(&database, "PRAGMA integrity_check");
        let users = legacy::ask_database(&database, "SELECT count(*) FROM users");
        let is_good = checked == "ok" && users == homeserver.users.len().to_string();
        let verified = deployment.run(UNIT, "verify-backup", json!({"backup-id": id}));
        let expected = if is_good { "completed" } else { "failed" };
        assert_eq!(verified.status, expected, "{checked}: {}", verified.message);
    }
    homeserver.assert_told_by(&deployment);
}
