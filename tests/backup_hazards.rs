//! What a volume, a neighbour or a compromised Synapse may do to a backup: it stays right, or says what is wrong.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and it meddles with programs of the host"
)]

#[path = "support/s3_server.rs"]
mod s3_server;
#[path = "support/workload.rs"]
mod workload;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use s3_server::S3Server;
use synapse_charm::backup::catalog::BackupState;
use synapse_charm::backup::workload_tools::probe;
use workload::{Jobs, Kind, Process, UID, Workload, run, wait_until};

const BIG: &str = "media_store/local_content/aa/big";
const BIG_BYTES: u64 = 300_000_000;

/// Takes seconds, and no room.
fn add_big_media(workload: &Workload, bytes: u64) {
    workload.write(BIG, b"");
    let file = fs::File::options()
        .write(true)
        .open(workload.data().join(BIG))
        .unwrap();
    file.set_len(bytes).unwrap();
}

fn reads_big_media(tar: &Process) -> bool {
    let open = fs::read_dir(tar.folder.join("fd")).into_iter().flatten();
    open.flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|path| path.ends_with("aa/big")))
}

/// Does something while tar of the media archive stands still within the big file.
async fn meanwhile(jobs: &Jobs, meddle: impl FnOnce() + Send + 'static) {
    let jobs = jobs.clone();
    tokio::task::spawn_blocking(move || {
        let tar = jobs.process("tar");
        wait_until(
            || reads_big_media(&tar),
            || format!("{tar:?} reads no media"),
        );
        tar.signal("STOP");
        meddle();
        tar.signal("CONT");
    })
    .await
    .unwrap();
}

async fn failure(workload: &Workload) -> String {
    let error = workload.create("geheim").await.unwrap_err();
    assert!(!error.next_step().is_empty());
    error.to_string()
}

#[tokio::test]
async fn programs_run_as_root_take_nothing_from_a_folder_that_others_may_write() {
    for kind in [Kind::Ours, Kind::Upstream] {
        let workload = Workload::start(kind).await;
        let tmp = workload.pod.container_root("synapse").join("tmp");
        let python = workload.container.exec([
            "python3",
            "-c",
            "import sys; print('python%d.%d' % sys.version_info[:2], end='')",
        ]);
        let version = String::from_utf8(python.output().await.unwrap().stdout).unwrap();
        let site = tmp.join(".local/lib").join(version).join("site-packages");
        for folder in [&site, &tmp.join(".aws"), &tmp.join("plugins")] {
            fs::create_dir_all(folder).unwrap();
        }
        let trap = "import os; open('/tmp/trapped', 'a').write(str(os.getuid()))\n";
        fs::write(site.join("usercustomize.py"), trap).unwrap();
        fs::write(tmp.join("plugins/evil.py"), trap).unwrap();
        let config = "[plugins]\ncli_legacy_plugin_path = /tmp/plugins\nevil = evil\n";
        fs::write(tmp.join(".aws/config"), config).unwrap();

        let tools = probe(&workload.container).await.unwrap();
        assert_eq!(tools.missing, Vec::<String>::new());
        workload.fill(200_000);
        workload.create("geheim").await.unwrap();
        assert!(!tmp.join("trapped").exists());
    }
}

fn hold_lock(place: &Path) -> Child {
    let mut command = Command::new("flock");
    command
        .arg(place)
        .args(["sh", "-c", "echo held; exec sleep 600"])
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut word = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut word).unwrap();
    child
}

#[tokio::test]
async fn lock_cannot_be_held_by_others() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    let tmp = workload.pod.container_root("synapse").join("tmp");
    let mut places = vec![tmp.clone()];
    if workload.tools.root {
        let planted = tmp.join(".synapse-charm.lock");
        fs::create_dir(&planted).unwrap();
        lchown(&planted, Some(UID), Some(UID)).unwrap();
        places.push(planted);
    }
    let mut holders: Vec<Child> = places.iter().map(|place| hold_lock(place)).collect();
    let result = workload.create("geheim").await;
    for holder in &mut holders {
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
    result.unwrap();
}

fn begin_upload(server: &S3Server, key: &str) {
    let mut aws = server.aws();
    aws.args(["s3api", "create-multipart-upload", "--bucket", "backups"]);
    run(aws.args(["--key", key]));
}

#[tokio::test]
async fn only_uploads_of_this_charm_in_its_own_path_are_aborted() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    let dead = "backup-20261123-070501-00ff";
    for key in [
        "backup-db.dump",
        "backup-20240101123456123456",
        &format!("{dead}/notes.txt"),
        &format!("{dead}/media.tar.gpg"),
    ] {
        begin_upload(&workload.server, key);
    }
    // Whose the path is was not known.
    workload.create("geheim").await.unwrap();
    assert_eq!(workload.server.incomplete_uploads("backups"), 4);
    workload.create("geheim").await.unwrap();
    assert_eq!(workload.server.incomplete_uploads("backups"), 3);
}

#[tokio::test]
async fn killed_shell_takes_the_whole_job_with_it() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    add_big_media(&workload, 20_000_000_000);
    let creating = workload.create_with(&workload.parameters(), "geheim", &workload.job());
    let jobs = workload.jobs.clone();
    let killing = tokio::task::spawn_blocking(move || {
        jobs.process("aws");
        // The first process leads the group in which the stages run.
        let stat = fs::read_to_string(jobs.process("tar").folder.join("stat")).unwrap();
        let group = stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap();
        run(Command::new("kill").args(["-s", "KILL", group]));
    });
    let (result, killed) = tokio::join!(creating, killing);
    killed.unwrap();
    let error = result.unwrap_err();
    assert_eq!(error.stage().to_string(), "workload", "{error}");
    workload.assert_clean("a killed shell");
    let catalog = workload.catalog(&workload.parameters()).await;
    assert_eq!(catalog.entries[0].state, BackupState::Failed);
}

#[tokio::test]
async fn media_that_changes_while_it_is_read_is_backed_up_as_it_was_met() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    add_big_media(&workload, BIG_BYTES);
    for index in 0..50 {
        workload.write(format!("media_store/local_content/aa/goes{index}"), b"goes");
    }
    workload.write("media_store/local_thumbnails/stays", b"stays");
    let data = workload.data();
    let creating = workload.create_with(&workload.parameters(), "geheim", &workload.job());
    let meddling = meanwhile(&workload.jobs, move || {
        let big = fs::File::options().append(true).open(data.join(BIG));
        big.unwrap().write_all(&vec![1; 1_000_000]).unwrap();
        for index in 0..50 {
            fs::remove_file(data.join(format!("media_store/local_content/aa/goes{index}")))
                .unwrap();
        }
        fs::write(data.join("media_store/local_thumbnails/new"), b"new").unwrap();
    });
    let (result, ()) = tokio::join!(creating, meddling);
    let receipt = result.unwrap();
    assert!(receipt.manifest.changed_while_read >= 1);
    assert!(
        receipt.warnings.iter().any(|text| text.contains("changed")),
        "{:?}",
        receipt.warnings
    );
    let catalog = workload.catalog(&workload.parameters()).await;
    assert_eq!(catalog.entries[0].state, BackupState::Finished);

    let key = format!("{}/media.tar.gpg", receipt.backup_id);
    let restored = workload.manual_recovery("geheim", &key);
    assert!(restored.join(".synapse-backup/end.json").exists());
    let big = fs::metadata(restored.join("data").join(BIG)).unwrap();
    assert_eq!(big.len(), BIG_BYTES);
    let thumbnails = restored.join("data/media_store/local_thumbnails");
    assert_eq!(fs::read(thumbnails.join("stays")).unwrap(), b"stays");
    fs::remove_dir_all(restored).unwrap();
}

#[tokio::test]
async fn path_that_is_taken_over_meanwhile_gets_no_backup() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    add_big_media(&workload, BIG_BYTES);
    let owner = r#"{"format":1,"model_uuid":"m","application":"other","server_name":"b.example"}"#;
    let creating = workload.create_with(&workload.parameters(), "geheim", &workload.job());
    let (jobs, server) = (workload.jobs.clone(), &workload.server);
    let meddling = async {
        tokio::task::spawn_blocking(move || jobs.process("tar"))
            .await
            .unwrap();
        server.put_object("backups", "owner.json", owner.as_bytes());
    };
    let (result, ()) = tokio::join!(creating, meddling);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("belongs to application other"), "{error}");
    let catalog = workload.catalog(&workload.parameters()).await;
    assert_eq!(catalog.entries[0].state, BackupState::Failed);

    let newer = r#"{"format":7}"#;
    server.put_object("backups", "owner.json", newer.as_bytes());
    let error = failure(&workload).await;
    assert!(error.contains("unknown format 7"), "{error}");
}

#[tokio::test]
async fn job_that_takes_longer_than_it_may_is_ended() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    add_big_media(&workload, 20_000_000_000);
    let mut job = workload.job();
    job.max_duration = Duration::from_secs(3);
    let creating = workload.create_with(&workload.parameters(), "geheim", &job);
    let error = creating.await.unwrap_err().with_next_step();
    assert!(error.contains("raise backup_max_duration"), "{error}");
    workload.assert_clean("a job that took too long");
    let catalog = workload.catalog(&workload.parameters()).await;
    assert_eq!(catalog.entries[0].state, BackupState::Failed);
}

#[tokio::test]
async fn cause_of_a_failure_names_the_file() {
    let workload = Workload::start(Kind::Ours).await;
    workload.fill(200_000);
    let content = workload.data().join("media_store/local_content");

    workload.write("media_store/local_content/aa/zz", b"x");
    let unreadable = content.join("aa/zz");
    lock_out(&unreadable);
    let error = failure(&workload).await;
    assert!(
        error.contains("local_content/aa/zz: Cannot open"),
        "{error}"
    );
    fs::remove_file(&unreadable).unwrap();

    lock_out(&content.join("aa"));
    let error = failure(&workload).await;
    assert!(
        error.contains("cannot read /data/media_store/local_content/aa: Permission denied"),
        "{error}"
    );
    fs::remove_dir(content.join("aa")).unwrap();

    fs::remove_dir(&content).unwrap();
    fs::create_dir(workload.data().join("elsewhere")).unwrap();
    symlink("../elsewhere", &content).unwrap();
    let error = failure(&workload).await;
    assert!(
        error.contains("\"/data/media_store/local_content\": it is a link"),
        "{error}"
    );
    fs::remove_file(&content).unwrap();

    let database = workload.data().join("homeserver.db");
    let mut bytes = fs::read(&database).unwrap();
    let name = b"@b:a.example";
    let index = bytes
        .windows(name.len())
        .rposition(|part| part == name)
        .unwrap();
    bytes[index + 1] = b'q';
    fs::write(&database, bytes).unwrap();
    let error = failure(&workload).await;
    assert!(error.contains("the database is damaged"), "{error}");
    assert!(
        error.contains("missing from index sqlite_autoindex_users_1"),
        "{error}"
    );
    workload.assert_clean("failures");
}

/// Nobody but root can read it.
fn lock_out(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
}

#[tokio::test]
async fn aws_settings_of_the_container_change_no_upload() {
    let workload = Workload::start_with(S3Server::start(), Kind::Ours, |image| {
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
            ("AWS_SESSION_TOKEN", "of somebody else"),
            ("AWS_PROFILE", "nobody"),
            ("AWS_CA_BUNDLE", "/nonexistent"),
        ] {
            image.environment.insert(name.to_owned(), value.to_owned());
        }
    })
    .await;
    workload.fill(200_000);
    workload.create("geheim").await.unwrap();
}
