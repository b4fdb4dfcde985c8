//! The programs that move data on the volume, by themselves: killed between any two renames they end the same, they move
//! nothing that they should not, and what they rename is on disk before and after.
#[path = "support/swap_site.rs"]
mod swap_site;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use serde_json::json;
use swap_site::{FOLDER, Site};

#[test]
fn swap_killed_before_any_rename_ends_the_same_when_it_is_run_again() {
    let whole = Site::new();
    let steps = whole.calls("swap").renames().len();
    assert_eq!(steps, 9);
    let wanted = whole.tree();
    for killed in 1..=steps {
        let site = Site::new();
        site.run_killed("swap", killed);
        assert_ne!(site.tree(), wanted, "killed before rename {killed}");
        site.done("swap");
        assert_eq!(site.tree(), wanted, "killed before rename {killed}");
        // And once more: whoever did it may not have lived to say so.
        site.done("swap");
        assert_eq!(site.tree(), wanted);
    }
}

#[test]
fn swap_back_after_a_kill_at_any_rename_brings_back_what_was_live() {
    let before = Site::new().tree();
    for killed in 1..=10 {
        // Of each number of renames that are to be undone, another one is the last that is.
        let killed_back = killed * 4 % 11;
        let site = Site::new();
        site.run_killed("swap", killed);
        site.run_killed("swap-back", killed_back);
        site.done("swap-back");
        assert_eq!(
            site.tree(),
            before,
            "killed before rename {killed}, then before {killed_back}"
        );
    }
    let site = Site::new();
    site.done("swap");
    site.done("swap-back");
    site.done("swap-back");
    assert_eq!(site.tree(), before);
}

#[test]
fn swap_back_takes_away_what_a_trial_start_left_beside_the_database() {
    let site = Site::new();
    let mut before = site.tree();
    site.done("swap");
    site.write("homeserver.db-wal", "of the trial");
    site.write("homeserver.db-shm", "of the trial");
    site.done("swap-back");
    let mut after = site.tree();
    for name in ["homeserver.db-wal", "homeserver.db-shm"] {
        let aside = format!("{FOLDER}/aside/data/{name}");
        assert_eq!(after.remove(&aside).as_deref(), Some("of the trial"));
    }
    assert_eq!(
        after.remove("homeserver.db-wal"),
        before.remove("homeserver.db-wal")
    );
    assert_eq!(after, before);
}

#[test]
fn journal_that_does_not_fit_the_volume_moves_nothing() {
    type Change = fn(&Site);
    let changes: [(&str, Change); 5] = [
        ("a live file that nobody expects", |site| {
            site.write("fresh.key", "x");
        }),
        ("an old one is there already", |site| {
            site.write(&site.in_old("homeserver.db"), "x");
        }),
        ("a live one is gone", |site| {
            fs::remove_file(site.path("homeserver.db")).unwrap();
        }),
        ("a folder leads elsewhere", |site| {
            fs::remove_dir_all(site.path("media_store")).unwrap();
            symlink("/tmp", site.path("media_store")).unwrap();
        }),
        ("the restore's folder leads elsewhere", |site| {
            let folder = site.path(FOLDER);
            fs::rename(&folder, site.path("moved")).unwrap();
            symlink(site.path("moved"), folder).unwrap();
        }),
    ];
    for (what, change) in changes {
        let site = Site::new();
        change(&site);
        let before = site.tree();
        let said = site.refused("swap", &site.order("swap"));
        assert_eq!(site.tree(), before, "{what}: {said}");
    }
}

#[test]
fn order_to_move_anything_else_is_refused() {
    let site = Site::new();
    let before = site.tree();
    let data = site.data();
    for live in [
        "/etc/passwd".to_owned(),
        data.clone(),
        format!("{data}/../x"),
        format!("{data}/./homeserver.db"),
        format!("{data}//homeserver.db"),
        format!("{data}/homeserver.yaml"),
        format!("{data}/log.config"),
        format!("{data}/media_store"),
        format!("{data}/lost+found"),
        format!("{data}/.synapse-charm/journal.json"),
        format!("{data}/.restore-x"),
        format!("{data}x/homeserver.db"),
        format!("{data}/a\0b"),
    ] {
        let mut order = site.order("swap");
        order["renames"][0]["live"] = live.clone().into();
        let said = site.refused("swap", &order);
        assert!(said.contains("must not be moved"), "{live:?}: {said}");
    }
    for (key, value) in [
        ("folder", json!("/tmp")),
        (
            "folder",
            json!(format!("{data}/.restore-restore-20261123-070501-00ff/../x")),
        ),
        ("new", json!("/tmp/new")),
        ("old", json!(format!("{data}/old"))),
        ("journal", json!("/etc/passwd")),
        ("verb", json!("dance")),
        ("renames", json!("all")),
    ] {
        let mut order = site.order("swap");
        order[key] = value;
        site.refused("swap", &order);
    }
    assert_eq!(site.tree(), before);
}

/// Of each rename: what is renamed, the folders and the journal are on disk before the first one; then come the renames that
/// put aside, then the folders, then the renames that bring, then the folders.
#[test]
fn data_journal_and_folders_are_on_disk_before_and_after_the_renames() {
    for verb in ["swap", "swap-back"] {
        let site = Site::new();
        if verb == "swap-back" {
            site.done("swap");
        }
        let calls = site.calls(verb);
        let renames = calls.renames();
        assert!(renames.len() >= 6, "{calls:?}");
        let first = calls.first_rename();
        for path in calls.sources().iter().filter(|path| site.was_there(path)) {
            assert!(
                calls.synced_before(path, first),
                "{verb}: {path} {calls:#?}"
            );
        }
        for path in [
            format!("{}/.synapse-charm/journal.json", site.data()),
            format!("{}/.synapse-charm", site.data()),
            site.data(),
        ] {
            assert!(
                calls.synced_before(&path, first),
                "{verb}: {path} {calls:#?}"
            );
        }
        let (gone, came) = calls.phases();
        for (phase, next) in [(&gone, came.start), (&came, calls.len())] {
            assert!(!phase.is_empty(), "{calls:#?}");
            for parent in calls.parents(phase.clone()) {
                assert!(
                    calls.synced_between(&parent, phase.end, next),
                    "{verb}: {parent} is not on disk after the renames {phase:?}: {calls:#?}"
                );
            }
        }
    }
}

#[test]
fn sweep_removes_what_was_never_live_and_nothing_else() {
    let site = Site::new();
    let folder = site.path(FOLDER);
    site.done("swap");
    let before = site.tree();
    let said = site.settle_refused("sweep");
    assert!(said.contains("holds data; nothing was removed"), "{said}");
    let said = site.settle_refused("free");
    assert!(said.contains("has no record"), "{said}");
    assert_eq!(site.tree(), before);

    // Nor what is nothing but a link.
    let linked = Site::new();
    linked.write("elsewhere/x", "x");
    let link = linked.path(&linked.in_old("media_store/local_content"));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(linked.path("elsewhere"), &link).unwrap();
    let said = linked.settle_refused("sweep");
    assert!(said.contains("holds data; nothing was removed"), "{said}");
    assert!(link.is_symlink());

    site.done("swap-back");
    assert!(folder.join("old").is_dir());
    site.settle("sweep");
    assert!(!folder.exists());
    site.settle("sweep");
}

#[test]
fn kept_data_is_recorded_freed_when_told_and_never_half_of_it_undone() {
    let site = Site::new();
    let folder = site.path(FOLDER);
    site.done("swap");
    site.settle("keep");
    // As long as the journal that said the same: the charm reads neither where it is longer.
    let record = fs::read_to_string(folder.join("restored.json")).unwrap();
    assert_eq!(record.trim_end(), Site::record().to_string());
    assert!(!folder.join("new").exists());
    site.settle("keep");
    // Killed while it was freed: it no longer has the record by which an undo would find it.
    fs::rename(folder.join("restored.json"), folder.join("freed.json")).unwrap();
    site.settle("sweep");
    assert!(!folder.exists());

    let site = Site::new();
    site.done("swap");
    site.settle("keep");
    site.settle("free");
    assert!(!site.path(FOLDER).exists());
    assert_eq!(
        fs::read_to_string(site.path("homeserver.db")).unwrap(),
        "new database"
    );
}

/// The journal is written by Pebble: beside its place, on disk, renamed, and the folder on disk.
#[test]
fn file_that_pebble_writes_is_on_disk_before_and_after_its_rename() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("journal.json");
    let path = target.to_str().unwrap();
    let log = swap_site::pebble_that_writes(folder.path(), path);
    let lines: Vec<&str> = log.lines().collect();
    let at = |what: &str, path: &str| {
        let found = lines
            .iter()
            .position(|line| line.contains(what) && line.contains(path));
        found.unwrap_or_else(|| panic!("no {what} {path}: {log}"))
    };
    let written = at("sync(", &format!("<{path}."));
    let renamed = at("rename", &format!("\"{path}\""));
    let folder_written = at("sync(", &format!("<{}>", folder.path().display()));
    assert!(written < renamed && renamed < folder_written, "{log}");
}

#[test]
fn paths_on_another_filesystem_are_seen() {
    let site = Site::new();
    let said = site.survey("/dev/shm/media_store", &["/dev/shm/homeserver.db"]);
    let elsewhere = said["survey"]["elsewhere"].as_array().unwrap();
    assert_eq!(elsewhere, &[json!("/dev/shm")], "{said}");
    let store = site.path("media_store");
    let said = site.survey(store.to_str().unwrap(), &[]);
    assert_eq!(said["survey"]["elsewhere"], json!([]), "{said}");
    assert_eq!(
        said["survey"]["local"].as_array().unwrap().len(),
        2,
        "{said}"
    );
}

/// A compromised Synapse can make as many as it likes.
#[test]
fn media_folders_that_nobody_could_list_or_write_down_are_refused_by_name() {
    let site = Site::new();
    let store = site.path("media_store");
    for n in 0..4500 {
        fs::create_dir(store.join(format!("local_{n:0240}"))).unwrap();
    }
    let said = site.survey_refused(store.to_str().unwrap());
    assert!(said.contains("4502 files and folders"), "{said}");
    assert!(said.contains("local_thumbnails"), "{said}");

    let site = Site::new();
    let store = site.path("media_store");
    let name = std::ffi::OsStr::from_bytes(b"local_\xff");
    fs::create_dir(store.join(name)).unwrap();
    let said = site.survey_refused(store.to_str().unwrap());
    assert!(said.contains("local_\\udcff' is no UTF-8"), "{said}");
}

/// To import Synapse takes a second of processor time, in which nothing of the restore goes on.
#[test]
fn schema_of_the_image_is_read_from_its_source_and_imported_only_where_that_does_not_say_it() {
    let site = Site::new();
    let real = concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/synapse/bin/python3");
    let imported = swap_site::said(
        real,
        "from synapse.storage.schema import *; print(SCHEMA_VERSION)",
    );
    assert_eq!(site.schema_version(real).to_string(), imported.trim());

    let none = json!(null);
    for (source, whole, wanted) in [
        (
            "SCHEMA_VERSION = 94  # that\nSCHEMA_COMPAT_VERSION = 90\n",
            false,
            json!(94),
        ),
        ("SCHEMA_VERSION: int = 95\n", false, json!(95)),
        ("SCHEMA_VERSION = 90 + 6\n", true, json!(96)),
        (
            "SCHEMA_VERSION = 96\nif True:\n    SCHEMA_VERSION = 97\n",
            true,
            json!(97),
        ),
        (
            "SCHEMA_VERSION = 97\nSCHEMA_VERSION += 1\n",
            true,
            json!(98),
        ),
        ("SCHEMA_VERSION = 90 + 6\n", false, none.clone()),
        ("no Python", true, none.clone()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let python = swap_site::image_with_schema(folder.path(), source, whole);
        assert_eq!(site.schema_version(&python), wanted, "{source:?} {whole}");
    }
    let folder = tempfile::tempdir().unwrap();
    let python = swap_site::image_with_schema(folder.path(), "SCHEMA_VERSION = 94", true);
    fs::rename(folder.path().join("lib"), folder.path().join("no-lib")).unwrap();
    assert_eq!(site.schema_version(&python), none);
}
