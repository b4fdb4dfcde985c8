use super::table::{MOST_ENTRIES, formatted, size};
use super::*;

const NOW: &str = "2026-11-23T12:00:00Z";
const ID: &str = "backup-20261123-110000-00ff";

fn object(key: &str, size_bytes: u64, modified: &str) -> ObjectInfo {
    ObjectInfo {
        key: key.to_owned(),
        size_bytes,
        modified: modified.parse().unwrap(),
    }
}

fn catalog(objects: &[(&str, u64, &str)]) -> Catalog {
    let mut reader = Reader::default();
    for (name, size, modified) in objects {
        reader.take(&object(&format!("{ID}/{name}"), *size, modified));
    }
    reader.finish(NOW.parse().unwrap())
}

fn state(objects: &[(&str, u64, &str)]) -> BackupState {
    catalog(objects).entries[0].state
}

const OLD: &str = "2026-11-23T11:00:00Z";

#[test]
fn backup_is_finished_only_with_a_marker_that_fits_both_archives() {
    let state_archive = ("state.tar.zst.gpg", 10, OLD);
    let media = ("media.tar.gpg", 20, OLD);
    let marker = ("manifest-10-20.json", 500, OLD);
    assert_eq!(
        state(&[state_archive, media, marker]),
        BackupState::Finished
    );
    assert_eq!(state(&[state_archive, media]), BackupState::Abandoned);
    assert_eq!(state(&[state_archive, marker]), BackupState::Damaged);
    assert_eq!(
        state(&[state_archive, ("media.tar.gpg", 19, OLD), marker]),
        BackupState::Damaged
    );
    assert_eq!(
        state(&[state_archive, media, ("manifest-10-x.json", 1, OLD)]),
        BackupState::Abandoned
    );
    assert_eq!(
        state(&[state_archive, media, ("manifest-+10-20.json", 1, OLD)]),
        BackupState::Abandoned
    );
}

#[test]
fn unfinished_backup_is_in_progress_while_its_heart_beats() {
    assert_eq!(
        state(&[("heartbeat.json", 1, "2026-11-23T11:55:01Z")]),
        BackupState::InProgress
    );
    assert_eq!(
        state(&[("heartbeat.json", 1, "2026-11-23T11:54:59Z")]),
        BackupState::Abandoned
    );
    assert_eq!(
        state(&[("heartbeat.json", 1, NOW), ("failed.json", 1, NOW)]),
        BackupState::Failed
    );
}

#[test]
fn other_objects_are_counted_and_legacy_backups_listed() {
    let mut reader = Reader::default();
    for key in [
        "backup-x",
        "backup-../../etc",
        "backup-20261123-110000-00FF/started.json",
        "backup-1/2/3",
    ] {
        reader.take(&object(key, 1, OLD));
    }
    reader.take(&object(
        "backup-20250102030405123456",
        7,
        "2025-01-02T03:05:00Z",
    ));
    reader.take(&object(&format!("{ID}/started.json"), 7, OLD));
    let catalog = reader.finish(NOW.parse().unwrap());
    assert_eq!(catalog.foreign_objects, 4);
    let rows: Vec<_> = catalog
        .entries
        .iter()
        .map(|entry| (entry.id.as_str(), entry.status()))
        .collect();
    assert_eq!(
        rows,
        [
            (ID, "abandoned".to_owned()),
            ("backup-20250102030405123456", "legacy".to_owned())
        ]
    );
    assert!(catalog.finished().is_empty());
}

#[test]
fn verifications_are_told_by_their_names_and_make_no_backup_newer() {
    let found = catalog(&[
        ("started.json", 1, OLD),
        ("verified-20261120-110000-ok.json", 1, NOW),
        ("verified-20261123-110000-failed.json", 1, NOW),
    ]);
    let entry = &found.entries[0];
    assert_eq!(entry.modified, OLD.parse().unwrap());
    let names: Vec<_> = entry.verified.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "verified-20261123-110000-failed.json",
            "verified-20261120-110000-ok.json"
        ]
    );
    assert!(formatted(&found.entries).ends_with(" | abandoned   | failed 2026-11-23"));
}

#[test]
fn records_beside_a_legacy_backup_are_no_backups() {
    let mut reader = Reader::default();
    let legacy = "backup-20250102030405123456";
    for (name, size) in [
        ("", 7),
        (".verified-20261123-110000-ok.json", 9),
        (".json", 9),
    ] {
        reader.take(&object(&format!("{legacy}{name}"), size, OLD));
    }
    // The Python charm deleted what this one is about.
    reader.take(&object(
        "backup-20250102030405123457.verified-20261123-110000-ok.json",
        9,
        OLD,
    ));
    let catalog = reader.finish(NOW.parse().unwrap());
    assert_eq!(catalog.entries.len(), 1);
    let entry = &catalog.entries[0];
    assert_eq!((entry.id.as_str(), entry.size_bytes), (legacy, 7));
    assert!(entry.verified[0].ok);
    assert_eq!(catalog.foreign_objects, 1);
}

#[test]
fn legacy_backup_of_a_charm_without_a_path_is_known_by_its_id_and_has_its_own_key() {
    let legacy = "backup-20250102030405123456";
    let slashed = format!("/{legacy}");
    let entries = |keys: &[&str]| {
        let mut reader = Reader::default();
        for (index, key) in keys.iter().enumerate() {
            reader.take(&object(key, index as u64, OLD));
        }
        reader.finish(NOW.parse().unwrap())
    };
    let record = format!("{legacy}.verified-20261123-110000-ok.json");
    let found = entries(&[&slashed, &record]);
    assert_eq!(found.foreign_objects, 0);
    let entry = &found.entries[0];
    assert_eq!((entry.id.as_str(), entry.verified.len()), (legacy, 1));
    assert_eq!(entry.legacy_object.as_deref(), Some(slashed.as_str()));

    for keys in [[legacy, &slashed], [&slashed, legacy]] {
        let found = entries(&keys);
        assert_eq!(found.entries.len(), 1);
        let chosen = found.entries[0].legacy_object.as_deref();
        assert_eq!(chosen, Some(legacy), "{keys:?}");
    }
    for foreign in [
        "//backup-20250102030405123456",
        "/backup-20261123-110000-00ff/started.json",
        "/backup-20250102030405123456.verified-20261123-110000-ok.json",
    ] {
        let found = entries(&[foreign]);
        assert_eq!((found.entries.len(), found.foreign_objects), (0, 1));
    }
}

#[test]
fn pages_go_from_new_to_old_and_say_what_is_left() {
    let mut reader = Reader::default();
    for second in 0..5 {
        reader.take(&object(
            &format!("backup-20261123-11000{second}-0000/started.json"),
            1,
            OLD,
        ));
    }
    let catalog = reader.finish(NOW.parse().unwrap());
    let (first, truncated) = catalog.page(2, None);
    assert_eq!(first[0].id.as_str(), "backup-20261123-110004-0000");
    assert!(truncated);
    let (rest, truncated) = catalog.page(10, Some(first[1].id.as_str()));
    assert_eq!(rest.len(), 3);
    assert!(!truncated);
}

#[test]
fn table_of_thousands_stays_small() {
    let entry = Entry {
        id: ID.parse().unwrap(),
        state: BackupState::InProgress,
        marker: None,
        legacy_object: None,
        verified: Vec::new(),
        modified: NOW.parse().unwrap(),
        size_bytes: u64::MAX,
    };
    let table = formatted(&vec![entry; 5000]);
    assert!(table.len() < 100 * 1024 / 3);
    assert_eq!(table.lines().count(), MOST_ENTRIES + 2);
    assert!(
        table
            .lines()
            .last()
            .unwrap()
            .starts_with("backup-20261123-110000-00ff | 2026-11-23T12:00:00Z |")
    );
}

#[test]
fn sizes_are_read_by_people() {
    for (bytes, text) in [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_400_000_000, "12.4 GB"),
        (3_000_000_000_000_000, "3000.0 TB"),
    ] {
        assert_eq!(size(bytes), text);
    }
}

#[test]
fn ids_have_a_strict_grammar() {
    let id = BackupId::new("2026-11-23T07:05:01Z".parse().unwrap(), 0xab);
    assert_eq!(id.as_str(), "backup-20261123-070501-00ab");
    assert_eq!(id.as_str().parse::<BackupId>().as_ref(), Ok(&id));
    let long = "x".repeat(300);
    for bad in [
        "",
        "..",
        "a/b",
        "-x",
        "backup-20261123-070501-00AB",
        "backup-20261123-070501-00ab\n",
        "%2e",
        &long,
    ] {
        assert!(bad.parse::<BackupId>().is_err(), "{bad:?}");
        assert!(bad.parse::<BackupChoice>().is_err(), "{bad:?}");
    }
}

#[test]
fn backups_of_either_charm_are_named_and_only_a_choice_may_be_the_latest() {
    let ours: AnyBackupId = ID.parse().unwrap();
    assert_eq!(ours, AnyBackupId::Ours(ID.parse().unwrap()));
    let legacy = "backup-20250102030405123456";
    assert_eq!(
        legacy.parse(),
        Ok(AnyBackupId::Legacy(legacy.parse().unwrap()))
    );
    assert_eq!(legacy.parse::<BackupChoice>().unwrap().to_string(), legacy);
    assert_eq!("latest".parse(), Ok(BackupChoice::Latest));
    for bad in [
        "latest",
        "backup-2025010203040512345",
        "backup-202501020304051234567",
        "backup-2025010203040512345x",
        "backup-20250102030405123456/x",
        "prod/db",
    ] {
        let error = bad.parse::<AnyBackupId>().unwrap_err();
        assert!(error.to_string().contains("is no backup id"), "{bad:?}");
    }
    for bad in ["Latest", "latest ", ""] {
        assert!(bad.parse::<BackupChoice>().is_err(), "{bad:?}");
    }
}

#[test]
fn newest_is_first_whichever_charm_made_it() {
    let mut reader = Reader::default();
    for key in [
        "backup-20261123-110000-00ff/failed.json",
        "backup-20261123100000123456",
        "backup-20261123120000123456",
    ] {
        reader.take(&ObjectInfo {
            key: key.to_owned(),
            size_bytes: 1,
            modified: Timestamp::UNIX_EPOCH,
        });
    }
    let catalog = reader.finish(Timestamp::UNIX_EPOCH);
    let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id.to_string()).collect();
    let all: Vec<String> = ids(&catalog.entries);
    assert_eq!(
        all,
        [
            "backup-20261123120000123456",
            "backup-20261123-110000-00ff",
            "backup-20261123100000123456"
        ]
    );
    let (rest, _) = catalog.page(10, Some("backup-20261123-110000-00ff"));
    let rest: Vec<String> = ids(rest);
    assert_eq!(rest, ["backup-20261123100000123456"]);
}
