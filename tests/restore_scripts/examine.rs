//! What becomes of a staged database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::volume::assert_good;

const EXAMINE: &str = concat!(
    include_str!("../../src/backup/scripts/inner.py"),
    include_str!("../../src/backup/scripts/examine.py")
);

/// How a database is made a bad one, and the word for it.
type Row = (&'static str, fn(&Path), &'static str);

/// Makes a database of Synapse, in WAL mode, whose last rows are in its log alone; leaves it as a copy of a running one.
fn database(folder: &Path, statements: &str) -> PathBuf {
    let program = r#"
import os, shutil, sqlite3, sys
live, copy = sys.argv[1] + '/live.db', sys.argv[1] + '/homeserver.db'
database = sqlite3.connect(live, isolation_level=None)
database.execute('PRAGMA journal_mode=WAL')
database.executescript("""
CREATE TABLE users (name TEXT PRIMARY KEY); INSERT INTO users VALUES ('@a:a.example');
CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (92);
CREATE TABLE e2e_one_time_keys_json (key_json TEXT); CREATE TABLE e2e_fallback_keys_json (key_json TEXT);
""")
database.execute('PRAGMA wal_checkpoint(TRUNCATE)')
database.executescript(sys.argv[2])
for suffix in ('', '-wal'):
    shutil.copy(live + suffix, copy + suffix)
"#;
    let mut python = Command::new("python3");
    let made = python
        .args(["-c", program])
        .arg(folder)
        .arg(statements)
        .status();
    assert!(made.unwrap().success());
    folder.join("homeserver.db")
}

fn examine(database: &Path) -> Output {
    let mut python = Command::new("python3");
    python.args(["-I", "-S", "-c", EXAMINE]).arg(database);
    python.args(["a.example", "clean"]).output().unwrap()
}

fn ask(database: &Path, question: &str) -> String {
    let program = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let mut python = Command::new("python3");
    let asked = python
        .args(["-c", program])
        .arg(database)
        .arg(question)
        .output()
        .unwrap();
    String::from_utf8(asked.stdout).unwrap().trim().to_owned()
}

#[test]
fn staged_database_is_one_file_with_its_log_and_without_one_time_keys() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "
        INSERT INTO users VALUES ('@late:a.example');
        INSERT INTO e2e_one_time_keys_json VALUES ('1'), ('2');
        INSERT INTO e2e_fallback_keys_json VALUES ('3');
    ";
    let database = database(folder.path(), rows);
    let said = assert_good(&examine(&database));
    assert!(
        said.contains("\"one_time_keys_removed\": 2, \"schema_version\": 92"),
        "{said}"
    );
    assert!(said.contains("\"users\": 2"), "{said}");
    assert!(!folder.path().join("homeserver.db-wal").exists());
    assert_eq!(ask(&database, "SELECT count(*) FROM users"), "2");
    assert_eq!(
        ask(&database, "SELECT count(*) FROM e2e_one_time_keys_json"),
        "0"
    );
    assert_eq!(
        ask(&database, "SELECT count(*) FROM e2e_fallback_keys_json"),
        "1"
    );
}

const FILLER: &str = "
    CREATE TABLE filler (text TEXT); CREATE INDEX filler_text ON filler (text);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO filler SELECT 'a long text of number ' || i FROM n;
    PRAGMA wal_checkpoint(TRUNCATE);
";

#[test]
fn database_that_is_damaged_or_anothers_is_refused() {
    let rows: [Row; 5] = [
        (
            "INSERT INTO users VALUES ('@b:other.example')",
            |_| {},
            "@b:other.example",
        ),
        (
            "INSERT INTO users VALUES ('@b:xa.example')",
            |_| {},
            "@b:xa.example",
        ),
        ("DROP TABLE schema_version", |_| {}, "not Synapse's"),
        (
            "",
            |path| fs::write(path, b"no database at all").unwrap(),
            "damaged",
        ),
        (
            FILLER,
            |path| {
                let mut content = fs::read(path).unwrap();
                let middle = content.len() / 2;
                content[middle..middle + 8192].fill(0x5a);
                fs::write(path, content).unwrap();
            },
            "damaged",
        ),
    ];
    for (statements, spoil, words) in rows {
        let folder = tempfile::tempdir().unwrap();
        let database = database(folder.path(), statements);
        spoil(&database);
        let output = examine(&database);
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = if words.starts_with('@') { 68 } else { 65 };
        assert_eq!(output.status.code(), Some(expected), "{words}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    }
}
