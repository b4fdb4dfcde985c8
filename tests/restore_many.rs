//! A server with very many files: its backup restores whole, and the memory that takes does not grow with them.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking; this one looks now and then, and tells what it measured"
)]

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deployment::{Deployment, UNIT, command, must};
use homeserver::Homeserver;
use processes::every_process;
use serde_json::{Value, json};

const LONGEST: Duration = Duration::from_hours(1);
/// What neither the charm nor a program of its own may take, however many files there are.
const MOST_MEMORY_BYTES: u64 = 60_000_000;

/// Makes so many small files of media, named as Synapse names them, 200 a folder.
const MAKE: &str = "
import os, sys
top, count = sys.argv[1] + '/media_store/local_content/zz', int(sys.argv[2])
uid = 991 if os.geteuid() == 0 else -1
os.mkdir(top); os.chown(top, uid, uid)
for number in range(count):
    if number % 200 == 0:
        folder = f'{top}/{number // 200:06}'
        os.mkdir(folder); os.chown(folder, uid, uid)
    descriptor = os.open(f'{folder}/file{number:08}', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(descriptor, b'%d' % number)
    os.fchown(descriptor, uid, uid)
    os.close(descriptor)
";

/// How many files there are, and one digest of their names and contents.
const COUNT: &str = "
import hashlib, os, sys
top, count, digest = sys.argv[1] + '/media_store/local_content/zz', 0, 0
for folder, _, files in os.walk(top):
    for name in files:
        with open(os.path.join(folder, name), 'rb') as file:
            one = hashlib.sha256(os.fsencode(os.path.join(folder[len(top):], name)) + b' ' + file.read())
        count, digest = count + 1, digest ^ int.from_bytes(one.digest()[:8], 'big')
print(count, digest)
";

fn on_volume(deployment: &Deployment, program: &str, count: usize) -> String {
    command("python3", |python| {
        let python = python.args(["-c", program]).arg(deployment.data());
        python.arg(count.to_string())
    })
}

/// Runs an action to its good end; returns how long it took, and the most memory of the charm and of the programs that read
/// or write archives.
fn measured(
    deployment: &Deployment,
    action: &str,
    parameters: Value,
) -> (Value, Duration, [u64; 2]) {
    let begun = Instant::now();
    let task = deployment.begin_with(action, parameters);
    let over = AtomicBool::new(false);
    let (outcome, peaks) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut peaks = [0; 2];
            while !over.load(Ordering::Relaxed) {
                for process in every_process() {
                    let which = if process.is("synapse-charm") {
                        0
                    } else if process.command.contains("one decrypted archive") {
                        1
                    } else {
                        continue;
                    };
                    let status = fs::read_to_string(process.folder().join("status"));
                    peaks[which] = peaks[which].max(peak_bytes(&status.unwrap_or_default()));
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            peaks
        });
        let outcome = must(deployment.juju.wait_task(task, LONGEST, |_| ()));
        over.store(true, Ordering::Relaxed);
        (outcome, watching.join().unwrap())
    });
    assert_eq!(outcome.status, "completed", "{action}: {}", outcome.message);
    (Value::Object(outcome.results), begun.elapsed(), peaks)
}

fn peak_bytes(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

fn assert_restored(files: usize) {
    let deployment = Deployment::with_backups("ours");
    let homeserver = Homeserver::fill(&deployment);
    on_volume(&deployment, MAKE, files);
    let before = on_volume(&deployment, COUNT, files);
    assert!(before.starts_with(&format!("{files} ")), "{before}");

    let (results, took, [charm, _]) = measured(&deployment, "create-backup", json!({}));
    eprintln!(
        "create-backup of {files} files: {took:.1?}, charm {} MB",
        charm / 1_000_000
    );
    let id = results["backup-id"].clone();
    // Lost; to remove a million files takes longer than to restore them.
    let volume = deployment.data();
    let lost = volume.with_extension("lost");
    fs::rename(volume.join("media_store/local_content"), lost).unwrap();

    let parameters = json!({"backup-id": id});
    let (_, took, [charm, extract]) = measured(&deployment, "verify-backup", parameters.clone());
    eprintln!(
        "verify-backup of {files} files: {took:.1?}, charm {} MB, extract.py {} MB",
        charm / 1_000_000,
        extract / 1_000_000
    );
    assert!(
        extract < MOST_MEMORY_BYTES,
        "extract.py took {extract} bytes"
    );
    let (_, took, [charm, extract]) = measured(&deployment, "restore-backup", parameters);
    eprintln!(
        "restore-backup of {files} files: {took:.1?}, charm {} MB, extract.py {} MB",
        charm / 1_000_000,
        extract / 1_000_000
    );
    assert!(charm < MOST_MEMORY_BYTES, "the charm took {charm} bytes");
    assert!(
        extract < MOST_MEMORY_BYTES,
        "extract.py took {extract} bytes"
    );
    assert!(extract > 0, "nobody saw extract.py");
    deployment.wait_active(UNIT);
    assert_eq!(on_volume(&deployment, COUNT, files), before);
    homeserver.assert_told_by(&deployment);
}

#[test]
fn backup_of_fifty_thousand_files_is_restored_whole() {
    assert_restored(50_000);
}

#[test]
#[ignore = "it takes a quarter of an hour: make test-many"]
fn backup_of_1_200_000_files_is_restored_whole() {
    assert_restored(1_200_000);
}
