use secrecy::ExposeSecret;

use super::*;
use crate::backup::s3_parameters::RawS3Parameters;

fn command(path: &str, archive: Archive, expected_size: Option<u64>) -> WorkloadCommand {
    let s3_parameters = S3Parameters::new(RawS3Parameters {
        access_key: Some("AK".into()),
        secret_key: Some("SK".into()),
        bucket: Some("backups".to_owned()),
        endpoint: Some("http://10.0.0.1:9000".to_owned()),
        path: Some(path.to_owned()),
        ..RawS3Parameters::default()
    })
    .unwrap();
    let tools = WorkloadTools {
        zstd: Some("/usr/bin/zstd".to_owned()),
        ..WorkloadTools::default()
    };
    let job = JobContext {
        tools: &tools,
        inner_manifest: "{}".to_owned(),
        reserve_bytes: 1,
    };
    let paths = BackupPaths {
        database: "/data/homeserver.db".to_owned(),
        state: vec!["/data/$(id).key".to_owned()],
        media: vec!["/data/media_store/local_content".to_owned()],
    };
    let id = "backup-20261123-070501-00ff".parse().unwrap();
    build_backup_command(
        &s3_parameters,
        &id,
        (archive, &paths),
        PassphraseSource::Stdin,
        expected_size,
        &job,
    )
}

fn value(command: &WorkloadCommand, name: &str) -> String {
    command.environment[name].expose_secret().to_owned()
}

#[test]
fn nothing_chosen_by_others_is_in_the_arguments() {
    let one = command("';id;'", Archive::State, None);
    let other = command("", Archive::Media, Some(5));
    assert_eq!(one.argv, other.argv);
    assert_eq!(
        value(&one, "S3_URL"),
        "s3://backups/';id;'/backup-20261123-070501-00ff/state.tar.zst.gpg"
    );
    assert_eq!(
        value(&other, "S3_URL"),
        "s3://backups/backup-20261123-070501-00ff/media.tar.gpg"
    );
    assert!(!format!("{one:?}").contains("\"SK\""));
}

#[test]
fn expected_size_decides_the_parts_and_defaults_to_ten_to_the_ten() {
    assert_eq!(
        value(&command("", Archive::Media, None), "EXPECTED_SIZE"),
        "10000000000"
    );
    let huge = command("", Archive::Media, Some(1_000_000_000_000));
    assert!(value(&huge, "S3_CONFIG").contains("multipart_chunksize = 105906176\n"));
}

#[test]
fn only_the_state_archive_has_the_database_and_is_compressed() {
    let state = command("", Archive::State, None);
    assert_eq!(
        (value(&state, "DATABASE"), value(&state, "ZSTD")),
        ("/data/homeserver.db".to_owned(), "/usr/bin/zstd".to_owned())
    );
    let media = command("", Archive::Media, None);
    assert_eq!(
        (value(&media, "DATABASE"), value(&media, "ZSTD")),
        (String::new(), String::new())
    );
}
