//! Scripts of the backup by themselves, run by the host's bash and Python.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and it runs programs of the host"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

/// Probes an image that has this in place of a program.
fn probe_with(program: &str, body: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join(program);
    fs::write(&fake, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let script = concat!(
        include_str!("../src/backup/scripts/ground.sh"),
        include_str!("../src/backup/scripts/probe.sh")
    );
    Command::new("bash")
        .args(["-c", script])
        .env("DATA_UID", "991")
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .output()
        .unwrap()
}

#[test]
fn setpriv_that_may_not_change_the_user_is_missing() {
    let output = probe_with(
        "setpriv",
        "[ \"$1\" = --version ] && exec echo setpriv\nexit 127",
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("tar\t/"), "{said}");
    let root = said.contains("uid\t0\t");
    assert_eq!(said.contains("setpriv\t/"), !root, "{said}");
}

#[test]
fn probe_one_of_whose_programs_was_killed_ends_as_killed_and_says_nothing_of_the_image() {
    for (program, signal) in [("tar", "KILL"), ("python3", "KILL"), ("gpg", "TERM")] {
        let output = probe_with(program, &format!("kill -s {signal} $$"));
        let status = if signal == "KILL" { 137 } else { 143 };
        assert_eq!(output.status.code(), Some(status), "{program}");
    }
    // One that dies of itself does so each time.
    let output = probe_with("tar", "kill -s SEGV $$");
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("gpg\t/") && !said.contains("tar\t/"),
        "{said}"
    );
}

/// Runs one of our Python programs that tells life signs as often as it can.
fn program(body: &str, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let text = include_str!("../src/backup/scripts/inner.py").to_owned() + body;
    let text = text
        .replace("BETWEEN_LIFE_SIGNS = 20", "BETWEEN_LIFE_SIGNS = 0")
        .replace("BETWEEN_LOOKS = 0.5", "BETWEEN_LOOKS = 0.01");
    let output = Command::new("python3")
        .args(["-I", "-S", "-c", &text])
        .args(arguments)
        .env("INNER_MANIFEST", r#"{"format":1,"id":"x"}"#)
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn measuring_of_many_files_shows_that_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("media");
    fs::create_dir(&media).unwrap();
    for index in 0..600 {
        fs::write(media.join(index.to_string()), b"x").unwrap();
    }
    let said = program(
        include_str!("../src/backup/scripts/measure.py"),
        &[],
        &[
            ("DATA_FOLDER", folder.path().to_str().unwrap()),
            ("STAGING", folder.path().join("staging").to_str().unwrap()),
            ("DATABASE", ""),
            ("STATE_PATHS", "0"),
            ("MEDIA_PATHS", "1"),
            ("MEDIA_PATH_0", media.to_str().unwrap()),
        ],
    );
    assert_eq!(said.matches(r#"{"alive": "measure"}"#).count(), 2, "{said}");
    assert!(said.contains(r#""files": 600"#), "{said}");
}

#[test]
fn check_of_a_big_database_shows_that_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("homeserver.db");
    let fill = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute('CREATE TABLE events (name TEXT PRIMARY KEY, json TEXT)')
database.executemany('INSERT INTO events VALUES (?, ?)', ((str(n), 'x' * 300) for n in range(400_000)))
database.commit()
";
    let filled = Command::new("python3")
        .args(["-c", fill])
        .arg(&database)
        .status();
    assert!(filled.unwrap().success());
    let said = program(
        include_str!("../src/backup/scripts/snapshot.py"),
        &[
            database.to_str().unwrap(),
            folder.path().join("content").to_str().unwrap(),
            "0",
        ],
        &[("BACKUP_PATHS", "0")],
    );
    let (_, check) = said.split_once(r#"{"copied""#).unwrap();
    assert!(check.contains(r#"{"alive": "snapshot"}"#), "{said}");
    assert!(check.contains(r#"{"integrity": ["ok"]}"#), "{said}");
}

#[test]
fn relay_ends_the_job_when_the_volume_runs_full() {
    let relay = include_str!("../src/backup/scripts/relay.py");
    let script = r#"exec 6>/dev/null; cat /dev/zero | python3 -I -S -c "$RELAY" / 999999999999999999 >/dev/null"#;
    let output = Command::new("bash")
        .args(["-c", script])
        .env("RELAY", relay)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(
        said.starts_with("synapse-charm: free space on the data volume fell under"),
        "{said}"
    );
}
