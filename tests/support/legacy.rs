//! Backups as the Python charm makes them: by the commands that it runs in the workload (its `src/backup.py`), word for word,
//! as the user that it runs them as, in an image like its own. Nothing here is the charm's code.
//!
//! Include it by `#[path = "support/legacy.rs"] mod legacy;`, beside `deployment`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "no test uses all of it, and a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use pebble_client::{ChangeId, Client};

use crate::deployment::{
    BUCKET, DEADLINE, Deployment, ENDPOINT, Model, PASSPHRASE, command, own, wait_until,
};

/// Where that charm puts the passphrase, on the volume.
const PASSPHRASE_FILE: &str = "/data/.gpg_backup_passphrase";
/// Below what its backups lie: the settings' path, with which that charm can list them.
pub const S3_PATH: &str = "old/synapse";

/// How its pipeline ended, and what its tools said.
#[derive(Debug)]
pub struct Made {
    pub exit_code: Option<i32>,
    pub said: String,
}

/// Makes a backup of what lies on the volume, whatever writes there meanwhile. The object may be there although the
/// pipeline failed.
pub fn back_up(deployment: &Deployment, id: &str) -> Made {
    for setting in [
        ["default.s3.addressing_style", "path"],
        ["default.s3.max_concurrent_requests", "1"],
    ] {
        let made = run(
            deployment,
            &[&["/aws/dist/aws", "configure", "set"][..], &setting].concat(),
        );
        assert_eq!(made.exit_code, Some(0), "{made:?}");
    }
    let file = deployment
        .data()
        .join(PASSPHRASE_FILE.trim_start_matches("/data/"));
    fs::write(&file, PASSPHRASE).unwrap();
    own(&file);
    let paths = paths_to_back_up(deployment);
    let size_command = format!("set -euxo pipefail; du -bsc {paths} | tail -n1 | cut -f 1");
    let size = run(deployment, &["/usr/bin/bash", "-c", &size_command]);
    let size = size.said.lines().next().unwrap_or_default().to_owned();
    let pipeline = format!(
        "set -euxo pipefail; tar -c {paths} | gpg --batch --no-symkey-cache --passphrase-file '{PASSPHRASE_FILE}' --symmetric | \
         /aws/dist/aws s3 cp --expected-size={size} - 's3://{BUCKET}/{S3_PATH}/{id}'"
    );
    run(deployment, &["/usr/bin/bash", "-c", &pipeline])
}

/// What such a backup is of a Synapse that does not write meanwhile, by the host's programs.
pub fn archive_of(model: &Model) -> Vec<u8> {
    let script = r#"
        set -euo pipefail
        work=$(mktemp -d)
        trap 'gpgconf --homedir "$work" --kill all; rm -rf "$work"' EXIT
        printf %s "$PASSPHRASE" >"$work/passphrase"
        cd "$DATA"
        tar -c --transform 's,^,data/,' -- *.key homeserver.db* media_store/local_* |
            gpg --homedir "$work" --batch --no-symkey-cache --pinentry-mode loopback --passphrase-file "$work/passphrase" \
                --symmetric
    "#;
    let file = model.data().join("../legacy");
    command("bash", |bash| {
        bash.args(["-c", &format!("({script}) >\"$FILE\"")])
            .env("DATA", model.data())
            .env("FILE", &file)
            .env("PASSPHRASE", PASSPHRASE)
    });
    fs::read(&file).unwrap()
}

/// `*.key` and `homeserver.db*`, then `local_*` media, as Pebble lists them, each in single quotes.
fn paths_to_back_up(deployment: &Deployment) -> String {
    let data = deployment.data();
    let lists = [
        ("", "", ".key"),
        ("", "homeserver.db", ""),
        ("media_store", "local_", ""),
    ];
    let mut paths = Vec::new();
    for (folder, beginning, end) in lists {
        let entries = fs::read_dir(data.join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(beginning) && name.ends_with(end))
            .collect();
        names.sort();
        let folder = Path::new("/data").join(folder);
        paths.extend(
            names
                .iter()
                .map(|name| format!("'{}'", folder.join(name).display())),
        );
    }
    paths.join(" ")
}

/// Runs a command in the workload as that charm does.
fn run(deployment: &Deployment, words: &[&str]) -> Made {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let server = &deployment.server;
    let environment = [
        ("AWS_ACCESS_KEY_ID", server.access_key().to_owned()),
        ("AWS_SECRET_ACCESS_KEY", server.secret_key().to_owned()),
        ("AWS_ENDPOINT_URL", ENDPOINT.to_owned()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
    ];
    let output = deployment.pebble(async |client| {
        let mut exec = client.exec(words).user("synapse").group("synapse");
        for (name, value) in environment {
            exec = exec.environment(name, value);
        }
        exec.output().await
    });
    Made {
        exit_code: output.status.code(),
        said: format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// Opens such a backup with nothing but gpg and tar; returns the folder that it was extracted to.
pub fn open(deployment: &Deployment, id: &str) -> PathBuf {
    deployment.open_archive(PASSPHRASE.as_bytes(), &format!("{S3_PATH}/{id}"))
}

/// Asks a database one question, with the journal that lies beside it, on a copy.
pub fn ask_database(database: &Path, question: &str) -> String {
    let program = "
import pathlib, shutil, sqlite3, sys, tempfile
database = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    for file in database.parent.glob(database.name + '*'):
        if not file.name.endswith('-shm'):
            shutil.copy(file, folder)
    try:
        rows = sqlite3.connect(pathlib.Path(folder, database.name)).execute(sys.argv[2]).fetchall()
    except sqlite3.Error as error:
        rows = [(str(error),)]
    print(*(row[0] for row in rows), sep='\\n')
";
    let printed = command("python3", |python| {
        python.args(["-c", program]).arg(database).arg(question)
    });
    printed.trim_end().to_owned()
}

/// Settings with which that charm's backups lie where the charm looks.
pub fn settings(deployment: &Deployment) -> Vec<(&'static str, String)> {
    let mut settings = deployment.settings();
    settings.push(("s3_path", S3_PATH.to_owned()));
    settings
}

/// Does something while Synapse is stopped, so that the database is at rest and has no journal.
pub fn with_synapse_stopped<T>(deployment: &Deployment, work: impl FnOnce() -> T) -> T {
    wait_for(deployment, async |client| client.stop(&["synapse"]).await);
    let result = work();
    wait_for(deployment, async |client| client.start(&["synapse"]).await);
    wait_until(|| deployment.answers(), || "Synapse is not back".to_owned());
    result
}

fn wait_for(
    deployment: &Deployment,
    change: impl AsyncFnOnce(&Client) -> Result<ChangeId, pebble_client::Error>,
) {
    deployment.pebble(async |client| {
        let id = change(&client).await?;
        client.wait_change(&id, DEADLINE).await
    });
}

/// Changes the database, whose path the program knows as `path`, for as long as the work takes.
pub fn change_database(deployment: &Deployment, program: &str, work: impl FnOnce()) {
    let database = deployment.data().join("homeserver.db");
    let genuine = fs::read(&database).unwrap();
    let program = format!("import sys\npath = sys.argv[1]\n{program}");
    command("python3", |python| {
        python.args(["-c", &program]).arg(&database)
    });
    work();
    fs::write(&database, genuine).unwrap();
}

/// Runs a Python program in the workload as Synapse's user; its arguments are the database and a file of the volume.
pub fn run_as_synapse(deployment: &Deployment, program: &str, file: &Path) {
    let file = Path::new("/data").join(file.file_name().unwrap());
    let file = file.to_str().unwrap();
    let made = run(
        deployment,
        &["python3", "-c", program, "/data/homeserver.db", file],
    );
    assert_eq!(made.exit_code, Some(0), "{made:?}");
}
