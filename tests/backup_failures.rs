//! Backups that fail: each says why, leaves nothing that runs or looks finished, and the next one succeeds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/s3_server.rs"]
mod s3_server;
#[path = "support/workload.rs"]
mod workload;

use std::fs;
use std::path::Path;
use std::time::Duration;

use pebble_client::Client;
use s3_server::{Certificate, S3Server};
use synapse_charm::backup::catalog::BackupState;
use synapse_charm::backup::{RawS3Parameters, S3Parameters};
use workload::{Jobs, Kind, Workload};

const PASSPHRASE: &str = "geheimes-wort-4711";

/// Takes long enough to be met on its way, and no room.
fn add_endless_media(workload: &Workload) {
    workload.write("media_store/local_content/endless", b"");
    let file = fs::File::options()
        .write(true)
        .open(workload.data().join("media_store/local_content/endless"));
    file.unwrap().set_len(20_000_000_000).unwrap();
}

fn remove_endless_media(workload: &Workload) {
    fs::remove_file(workload.data().join("media_store/local_content/endless")).unwrap();
}

async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn assert_none_finished(workload: &Workload, what: &str) {
    let catalog = workload.catalog(&workload.parameters()).await;
    assert!(
        catalog
            .entries
            .iter()
            .all(|entry| entry.state != BackupState::Finished),
        "{what}: {catalog:?}"
    );
}

/// One that succeeds, and is taken away again.
async fn assert_next_succeeds(workload: &Workload, what: &str) {
    let receipt = workload
        .create(PASSPHRASE)
        .await
        .unwrap_or_else(|error| unreachable!("after {what}: {error}"));
    let catalog = workload.catalog(&workload.parameters()).await;
    let entry = catalog
        .entries
        .iter()
        .find(|entry| entry.id.as_str() == receipt.backup_id.as_str())
        .unwrap();
    assert_eq!(entry.state, BackupState::Finished, "after {what}");
    workload
        .server
        .remove("backups", &format!("{}/", receipt.backup_id));
}

#[tokio::test]
async fn killed_stage_is_named_and_leaves_nothing() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    for victim in ["tar", "gpg", "relay", "aws"] {
        add_endless_media(&workload);
        let creating = workload.create_with(&workload.parameters(), PASSPHRASE, &workload.job());
        let jobs = workload.jobs.clone();
        let killing = in_thread(move || {
            jobs.process("aws");
            jobs.process(victim).signal("KILL");
        });
        let (result, ()) = tokio::join!(creating, killing);
        let error = result.unwrap_err();
        assert!(
            error.to_string().contains(&format!(
                "{victim} of the media archive was ended by signal 9"
            )),
            "{error}"
        );
        workload.assert_clean(victim);
        assert_none_finished(&workload, victim).await;
        let catalog = workload.catalog(&workload.parameters()).await;
        assert_eq!(catalog.entries[0].state, BackupState::Failed, "{victim}");
        assert_eq!(workload.server.incomplete_uploads("backups"), 0, "{victim}");
        remove_endless_media(&workload);
        assert_next_succeeds(&workload, victim).await;
    }
}

#[tokio::test]
async fn job_whose_charm_or_pebble_is_killed_ends_and_is_never_finished() {
    let mut workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    add_endless_media(&workload);

    let creating = workload.create_with(&workload.parameters(), PASSPHRASE, &workload.job());
    let jobs = workload.jobs.clone();
    tokio::select! {
        _ = creating => unreachable!("a backup of 20 GB was made in no time"),
        _ = in_thread(move || jobs.process("aws")) => {}
    }
    workload.assert_clean("a killed charm");
    assert_none_finished(&workload, "a killed charm").await;

    let creating = workload.create_with(&workload.parameters(), PASSPHRASE, &workload.job());
    let jobs = workload.jobs.clone();
    let killing = async {
        in_thread(move || jobs.process("aws")).await;
        workload.pod.kill_container("synapse").await.unwrap();
    };
    let (result, ()) = tokio::join!(creating, killing);
    let error = result.unwrap_err();
    assert_eq!(error.stage().to_string(), "workload", "{error}");
    let container = Client::new(workload.pod.pebble_socket("synapse"));
    let back = async {
        while container.system_info().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), back)
        .await
        .unwrap();
    assert_none_finished(&workload, "a killed Pebble").await;
    remove_endless_media(&workload);
    assert_next_succeeds(&workload, "a killed Pebble").await;
    assert_eq!(workload.server.incomplete_uploads("backups"), 0);
}

#[tokio::test]
async fn secrets_are_in_no_argument_no_file_and_out_of_reach_of_synapse() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    add_endless_media(&workload);
    let secrets = [
        PASSPHRASE.to_owned(),
        workload.server.secret_key().to_owned(),
    ];
    let creating = workload.create_with(&workload.parameters(), PASSPHRASE, &workload.job());
    let (jobs, container) = (workload.jobs.clone(), workload.container.clone());
    let wanted = secrets.clone();
    let looking = async {
        in_thread(move || jobs.process("aws")).await;
        assert_out_of_reach(&container, &wanted, workload.tools.root).await;
        assert_in_no_argument(&workload.jobs, &wanted);
        for name in ["tar", "gpg"] {
            workload.jobs.process(name);
        }
        let tar = workload.jobs.process("tar");
        assert_eq!(
            tar.owner(),
            workload.tools.root.then_some(workload::UID).or(tar.owner())
        );
        workload.jobs.process("gpg").signal("TERM");
    };
    let (result, ()) = tokio::join!(creating, looking);
    let error = result.unwrap_err();
    for secret in &secrets {
        assert!(!format!("{error:?} {error} {}", error.log_tail()).contains(secret.as_str()));
    }
    remove_endless_media(&workload);
    let receipt = workload.create(PASSPHRASE).await.unwrap();
    for secret in &secrets {
        assert!(!format!("{receipt:?}").contains(secret.as_str()));
        assert_in_no_file(&workload.unit_folder(), secret);
    }
}

fn assert_in_no_argument(jobs: &Jobs, secrets: &[String]) {
    for process in workload::processes(|_| true) {
        // The tests' own tools may hold them.
        let ours = jobs.processes().contains(&process);
        assert!(
            !ours
                || secrets
                    .iter()
                    .all(|secret| !process.command.contains(secret.as_str())),
            "{process:?}"
        );
    }
}

async fn assert_out_of_reach(container: &Client, secrets: &[String], root: bool) {
    let mut exec = container.exec([
        "sh",
        "-c",
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true",
    ]);
    exec = exec.working_dir("/");
    if root {
        exec = exec.user_id(workload::UID).group_id(workload::UID);
    }
    let output = exec.output().await.unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    assert!(seen.contains("--symmetric"), "gpg was not there");
    for secret in secrets {
        // Where all is of one user, environments cannot be kept from it.
        assert!(!root || !seen.contains(secret.as_str()));
    }
}

fn assert_in_no_file(folder: &Path, secret: &str) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            assert_in_no_file(&path, secret);
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap_or_default();
            let found = content
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "a secret is in {}", path.display());
        }
    }
}

async fn refusal(workload: &Workload, raw: RawS3Parameters) -> String {
    let parameters = S3Parameters::new(raw).unwrap();
    let result = workload
        .create_with(&parameters, PASSPHRASE, &workload.job())
        .await;
    result.unwrap_err().with_next_step()
}

fn wrong_settings(workload: &Workload) -> Vec<(RawS3Parameters, &'static str)> {
    let mut cases = Vec::new();
    let mut wrong = |words, change: &dyn Fn(&mut RawS3Parameters)| {
        let mut raw = workload.raw();
        change(&mut raw);
        cases.push((raw, words));
    };
    let server = &workload.server;
    wrong("does not know the access key", &|raw| {
        raw.access_key = Some("AKNOBODY".into());
    });
    wrong("refuses the secret key", &|raw| {
        raw.secret_key = Some("wrong".into());
    });
    wrong("the bucket does not exist", &|raw| {
        raw.bucket = Some("no-such-bucket".to_owned());
    });
    wrong("cannot be reached", &|raw| {
        raw.endpoint = Some("http://127.0.0.1:1".to_owned());
    });
    wrong("signed by an unknown authority", &|raw| {
        raw.endpoint = Some(server.https_endpoint().to_owned());
    });
    wrong("access denied", &|raw| {
        raw.access_key = Some(server.reader_access_key().into());
        raw.secret_key = Some(server.reader_secret_key().into());
    });
    cases
}

#[tokio::test]
async fn wrong_s3_settings_are_told_apart() {
    let server = S3Server::start_with_https(Certificate::OwnAuthority);
    let workload = Workload::start_https(server, Kind::Ours).await;
    workload.fill(200_000);
    for (wrong, words) in wrong_settings(&workload) {
        let message = refusal(&workload, wrong).await;
        assert!(
            message.contains(words) && message.contains("; "),
            "{words}: {message}"
        );
    }
    let with_authority = RawS3Parameters {
        endpoint: Some(workload.server.https_endpoint().to_owned()),
        tls_ca_chain: Some(workload.server.ca_pem()),
        ..workload.raw()
    };
    let parameters = S3Parameters::new(with_authority).unwrap();
    let creating = workload.create_with(&parameters, PASSPHRASE, &workload.job());
    creating.await.unwrap();
    workload.assert_clean("refusals");
}

#[tokio::test]
async fn self_signed_certificate_with_ca_flag_gets_its_own_message() {
    let server = S3Server::start_with_https(Certificate::SelfSigned);
    let raw = RawS3Parameters {
        access_key: Some(server.access_key().into()),
        secret_key: Some(server.secret_key().into()),
        bucket: Some("backups".to_owned()),
        endpoint: Some(server.https_endpoint().to_owned()),
        tls_ca_chain: Some(server.ca_pem()),
        ..RawS3Parameters::default()
    };
    let client = synapse_charm::backup::S3Client::new(&S3Parameters::new(raw).unwrap()).unwrap();
    let error = client.check_bucket().await.unwrap_err();
    assert_eq!(
        error.kind(),
        synapse_charm::backup::S3ErrorKind::CaUsedAsEndEntity,
        "{error}"
    );
    assert!(!client.can_use_bucket().await);
}

#[tokio::test]
async fn job_that_cannot_begin_says_what_is_missing() {
    let workload = Workload::start_with(S3Server::start(), Kind::Ours, |image| {
        image.hide.push("/usr/bin/gpg".into());
    })
    .await;
    let message = workload
        .create(PASSPHRASE)
        .await
        .unwrap_err()
        .with_next_step();
    assert!(
        message.contains("the workload's image cannot run gpg; use an image"),
        "{message}"
    );
    assert_eq!(workload.server.objects("backups", "").len(), 0);

    // The other refusals come before gpg is needed.
    let mut job = workload.job();
    job.tools.missing.clear();
    job.extra_paths = vec!["/data/none".to_owned()];
    let parameters = workload.parameters();
    let message = workload
        .create_with(&parameters, PASSPHRASE, &job)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("\"/data/none\" of backup_extra_paths: there is no such file"),
        "{message}"
    );
    job.extra_paths.clear();
    let message = workload
        .create_with(&parameters, PASSPHRASE, &job)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("there is no database at /data/homeserver.db"),
        "{message}"
    );

    job.model_uuid = "another".to_owned();
    let message = workload
        .create_with(&parameters, PASSPHRASE, &job)
        .await
        .unwrap_err()
        .with_next_step();
    assert!(
        message.contains("belongs to application synapse (server a.example)")
            && message.contains("take-over=true"),
        "{message}"
    );
    job.take_over = true;
    let message = workload
        .create_with(&parameters, PASSPHRASE, &job)
        .await
        .unwrap_err()
        .to_string();
    assert!(message.contains("there is no database"), "{message}");
    workload.assert_clean("refusals");
    assert_none_finished(&workload, "refusals").await;
}
