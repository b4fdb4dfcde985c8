//! Backups that must work, whatever passphrases, media names and paths look like.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use deployment::{Deployment, PASSPHRASE, SERVER_NAME, own};
use serde_json::json;

/// A passphrase as an admin sets it, and what gpg must be given to decrypt.
const PASSPHRASES: [(&str, &str); 8] = [
    ("it's \"quoted\" `id`", "it's \"quoted\" `id`"),
    ("$HOME ${PATH} $(id) $5", "$HOME ${PATH} $(id) $5"),
    ("back\\slash \\n \\", "back\\slash \\n \\"),
    ("  spaces at both ends  ", "  spaces at both ends  "),
    ("pässwörd 密碼 🔑", "pässwörd 密碼 🔑"),
    ("one newline at its end\n", "one newline at its end"),
    ("-n --passphrase-fd 0", "-n --passphrase-fd 0"),
    ("%s %d !! # * ? [a-z] ~", "%s %d !! # * ? [a-z] ~"),
];

/// An option's value and where the backups then lie.
const PATHS: [(&str, &str); 8] = [
    ("", ""),
    ("/", ""),
    ("//a//b/", "a/b/"),
    ("with space/and  two", "with space/and  two/"),
    ("quote's \"$(id)\" `id`;&|", "quote's \"$(id)\" `id`;&|/"),
    ("-dash/--recursive", "-dash/--recursive/"),
    ("ünïcode/備份", "ünïcode/備份/"),
    ("a+b%20c", "a+b%20c/"),
];

const ODD_NAMES: [&[u8]; 9] = [
    b"-rf",
    b"--checkpoint-action=exec=touch hacked",
    b"two\nlines",
    b"quote's \"double\" $(id) `id`",
    b"back\\slash\\n",
    b"not-utf8-\xff\xfe",
    b" spaces and tab\t",
    b"*?[a]",
    "ünï-媒體".as_bytes(),
];

fn odd_path(name: &[u8]) -> PathBuf {
    let mut path = b"media_store/local_content/aa/bb/".to_vec();
    path.extend_from_slice(name);
    OsStr::from_bytes(&path).into()
}

fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap().to_path_buf();
                found.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

fn assert_database(extracted: &Path) {
    let program = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
assert database.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
assert database.execute('SELECT name FROM users').fetchall() == [('@alice:a.example',)]
";
    let database = extracted.join("data/homeserver.db");
    deployment::command("python3", |python| {
        python.args(["-c", program]).arg(database)
    });
}

#[test]
fn create_backup_with_odd_passphrases_and_paths_decrypts_with_plain_gpg() {
    let deployment = Deployment::with_backups("ours");
    for ((given, taken), (path, folder)) in PASSPHRASES.into_iter().zip(PATHS) {
        let shown = deployment.configure([("backup_passphrase", given), ("s3_path", path)]);
        assert_eq!(shown.workload, "active", "{given:?} {path:?}: {shown:?}");
        let id = deployment.create_backup();
        let canary = deployment.decrypt(taken.as_bytes(), &format!("{folder}{id}/canary.gpg"));
        assert_eq!(
            String::from_utf8_lossy(&canary),
            format!("canary of {id}\n")
        );
        let listed = deployment.listed();
        assert_eq!(listed[0], (id, "finished".to_owned()), "{path:?}");
    }
    // The same passphrase from a secret.
    let (given, taken) = PASSPHRASES[5];
    let uri = deployment.juju.add_secret("words", [("passphrase", given)]);
    let uri = uri.unwrap();
    deployment.juju.grant_secret("words", "synapse").unwrap();
    let options = [
        ("backup_passphrase", ""),
        ("backup_passphrase_secret", &uri),
        ("s3_path", "by-secret"),
    ];
    deployment.configure(options);
    let id = deployment.create_backup();
    deployment.decrypt(taken.as_bytes(), &format!("by-secret/{id}/canary.gpg"));
}

#[test]
fn create_backup_of_odd_media_that_changes_holds_every_byte() {
    let deployment = Deployment::with_backups("ours");
    for name in ODD_NAMES {
        deployment.write(odd_path(name), name);
    }
    deployment.write("media_store/local_content/big", &vec![7; 9_000_000]);
    deployment.write("media_store/remote_content/r", b"to be had again");
    let before = files_below(&deployment.data().join("media_store/local_content"));
    deployment.done("register-user", json!({"username": "alice"}));

    let stop = AtomicBool::new(false);
    let changing = deployment.write("media_store/local_content/changing", &vec![1; 1_000_000]);
    let coming = changing.with_file_name("coming");
    let id = std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0_usize.. {
                fs::write(&changing, vec![1; 1_000_000 + round % 1000]).unwrap();
                fs::write(&coming, "comes and goes").unwrap();
                own(&coming);
                fs::remove_file(&coming).unwrap();
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let outcome = deployment.run(deployment::UNIT, "create-backup", json!({}));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(outcome.status, "completed", "{outcome:?}");
        outcome.result("backup-id").unwrap().to_owned()
    });

    let media = deployment.open_archive(PASSPHRASE.as_bytes(), &format!("{id}/media.tar.gpg"));
    let after = files_below(&media.join("data/media_store/local_content"));
    for (name, content) in &before {
        assert_eq!(after.get(name), Some(content), "{}", name.display());
    }
    assert!(!media.join("data/media_store/remote_content").exists());
    let state = deployment.open_archive(PASSPHRASE.as_bytes(), &format!("{id}/state.tar.zst.gpg"));
    assert_database(&state);
    let key = format!("{SERVER_NAME}.signing.key");
    let keys = [state.join("data"), deployment.data()].map(|folder| folder.join(&key));
    assert_eq!(fs::read(&keys[0]).unwrap(), fs::read(&keys[1]).unwrap());
}

#[test]
fn create_backup_without_media_in_an_image_like_upstreams_tells_all_its_results() {
    let deployment = Deployment::with_backups("upstream");
    let _ = fs::remove_dir_all(deployment.data().join("media_store"));
    deployment.done("register-user", json!({"username": "alice"}));

    let outcome = deployment.done("create-backup", json!({}));
    let result = |key: &str| {
        let found = outcome.result(key);
        found
            .unwrap_or_else(|| panic!("no {key} in {:?}", outcome.results))
            .to_owned()
    };
    assert_eq!(result("result"), "correct");
    let id = result("backup-id");
    assert!(result("size-bytes").parse::<u64>().unwrap() > 10_000);
    result("duration-seconds").parse::<u64>().unwrap();
    assert!(
        result("contents").contains("database with 1 user"),
        "{}",
        result("contents")
    );
    assert!(
        result("contents").contains("0 files of media"),
        "{}",
        result("contents")
    );
    assert!(
        result("keep-outside-juju")
            .to_lowercase()
            .contains("passphrase")
    );
    assert_eq!(result("restore-in-place"), "yes");
    let shown = deployment.shown(deployment::UNIT);
    assert!(
        shown.message.contains("last backup just now, "),
        "{shown:?}"
    );

    let state = deployment.open_archive(PASSPHRASE.as_bytes(), &format!("{id}/state.tar.gpg"));
    assert_database(&state);
    let media = deployment.open_archive(PASSPHRASE.as_bytes(), &format!("{id}/media.tar.gpg"));
    assert_eq!(files_below(&media.join("data")).len(), 0);
}
