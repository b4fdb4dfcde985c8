//! Backups that are not what they say: each is refused with the word for what is wrong, and nothing of the running server is
//! touched.

#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/forgery.rs"]
mod forgery;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/s3_server.rs"]
mod s3_server;

use deployment::UNIT;
use forgery::Forgeries;
use serde_json::json;

/// What is wrong, and a word of the refusal.
type Row = (&'static str, &'static str);

const NAMES: [Row; 27] = [
    ("parent-folder", ".."),
    ("parent-folder-at-once", "../x"),
    ("parent-folder-by-pax", ".."),
    ("absolute-path", "/etc/cron.d/x"),
    ("absolute-path-by-pax", "/etc/cron.d/x"),
    ("outside-the-roots", "etc/cron.d/x"),
    ("ssh-keys-in-data", "data/.ssh"),
    ("the-charms-journal", "data/.synapse-charm"),
    ("another-restores-folder", "data/.restore-"),
    ("remote-media", "remote_content"),
    ("hot-journal-of-the-database", "homeserver.db-wal"),
    ("second-member-of-ours", ".synapse-backup/other.json"),
    ("nul-in-name", "a\\x00b"),
    ("same-file-twice", "twice"),
    ("same-file-by-another-spelling", "data//media_store"),
    ("folder-over-a-file", "twice"),
    ("file-below-a-file", "thing"),
    ("file-over-a-folder", "twice"),
    ("set-user-id", "local_content/shell"),
    ("set-group-id-on-a-file", "local_content/shell"),
    ("extra-path-that-is-the-charms-own", "data/.synapse-charm"),
    ("extra-path-that-is-the-database", "homeserver.db-wal"),
    ("extra-path-over-the-volume", "extra path"),
    ("extra-path-over-the-media-store", "extra path"),
    ("extra-path-outside", "etc/cron.d"),
    ("extra-path-that-leads-outside", "etc/cron.d"),
    ("extra-paths-that-overlap", "extra path"),
];

const TYPES: [Row; 8] = [
    ("symbolic-link-then-file-through-it", "link"),
    ("symbolic-link", "link"),
    ("hard-link-out", "link"),
    ("hard-link-to-the-live-database", "link"),
    ("character-device", "device"),
    ("block-device", "device"),
    ("fifo", "fifo"),
    ("unknown-type", "local_content/x"),
];

const AMOUNTS: [Row; 14] = [
    ("more-entries-than-promised", "promised"),
    ("more-bytes-than-promised", "promised"),
    ("promises-a-negative-number", "manifest"),
    ("huge-sparse-file", "sparse"),
    ("huge-sparse-file-by-pax", "sparse"),
    ("size-by-pax", "promised"),
    ("negative-size", "header"),
    ("zstd-bomb", "promised"),
    ("name-of-two-gigabytes", "name"),
    ("pax-header-of-two-gigabytes", "header"),
    ("manifest-of-two-gigabytes", "manifest"),
    ("impossible-time", "header"),
    ("endless-padding", "behind"),
    ("inner-manifest-of-nested-lists", "manifest"),
];

const CUT: [Row; 13] = [
    ("cut-to-nothing", "no message"),
    ("cut-in-gpgs-header", "no message"),
    ("cut-behind-the-session-key", "cut"),
    ("cut-in-the-packets-header", "cut"),
    ("cut-in-the-packet", "cut"),
    ("cut-before-the-checksum", "cut"),
    ("cut-by-one-byte", "cut"),
    ("cut-at-tars-boundary", "cut"),
    ("cut-in-a-member", "cut"),
    ("cut-before-the-end-marker", "cut"),
    ("cut-in-the-end-marker", "cut"),
    ("cut-in-zstd", "cut"),
    ("cut-after-it-was-listed", "damaged"),
];

const CHANGED: [Row; 15] = [
    ("flipped-at-the-start", "damaged"),
    ("flipped-in-the-middle", "damaged"),
    ("flipped-at-the-end", "damaged"),
    ("flipped-in-media", "damaged"),
    ("two-messages", "behind"),
    ("two-messages-with-one-archive", "media archive"),
    ("unencrypted-message-behind", "media archive"),
    ("zeros-behind", "behind"),
    ("noise-behind", "behind"),
    ("noise-behind-the-archive", "behind"),
    ("second-archive-behind-the-first", "behind"),
    ("member-behind-the-end-marker", "behind"),
    ("noise-behind-zstd", "zstd"),
    ("second-frame-behind-zstd", "behind"),
    ("inner-manifest-twice", "manifest.json"),
];

const OTHERS: [Row; 14] = [
    (
        "earlier-backup-under-this-id",
        "backup-20200101-000000-0000",
    ),
    ("media-of-an-earlier-backup", "backup-20200101-000000-0000"),
    (
        "end-marker-of-an-earlier-backup",
        "backup-20200101-000000-0000",
    ),
    ("earlier-outer-manifest", "another backup"),
    ("state-in-place-of-media", "state"),
    ("media-in-place-of-state", "media"),
    ("other-server", "other.example"),
    ("other-server-behind-our-outer-manifest", "other.example"),
    ("other-servers-media", "other.example"),
    ("other-servers-users-behind-our-manifests", "other.example"),
    ("damaged-database", "database"),
    ("text-in-place-of-the-database", "database"),
    ("no-database", "database"),
    ("database-that-is-another-programs", "database"),
];

const MESSAGES: [Row; 22] = [
    ("public-key-message", "public key"),
    ("unencrypted-message", "not encrypted"),
    ("unencrypted-media-message", "not encrypted"),
    ("unencrypted-message-and-canary", "not encrypted"),
    ("message-without-integrity", "integrity"),
    ("plain-tar", "gpg"),
    ("gzip-archive", "gpg"),
    ("gzip-inside", "header"),
    ("not-compressed-state", "zstd"),
    ("noise", "gpg"),
    ("other-passphrase", "passphrase"),
    ("other-passphrase-behind-our-canary", "passphrase"),
    ("canary-of-half-a-megabyte", "canary"),
    ("unknown-outer-format", "format 2"),
    ("unknown-inner-format", "format 2"),
    ("other-engine", "postgresql"),
    ("outer-manifest-without-sense", "manifest"),
    ("outer-manifest-of-twenty-megabytes", "manifest"),
    ("inner-manifest-without-sense", "manifest"),
    ("no-inner-manifest", "manifest"),
    ("inner-manifest-late", "manifest"),
    ("object-name-that-leads-elsewhere", "objects"),
];

/// Backups of the Python charm.
const LEGACY: [Row; 15] = [
    ("legacy-unencrypted", "not encrypted"),
    ("legacy-with-another-passphrase", "passphrase"),
    ("legacy-cut-in-the-packet", "cut"),
    ("legacy-cut-at-tars-boundary", "cut"),
    ("legacy-with-two-messages", "behind"),
    ("legacy-flipped", "damaged"),
    ("legacy-with-a-link", "link"),
    ("legacy-leading-outside", ".."),
    ("legacy-with-other-files", "etc/cron.d"),
    ("legacy-with-the-charms-journal", "data/.synapse-charm"),
    (
        "legacy-journal-that-deletes-the-live-database",
        "homeserver.db-journal",
    ),
    ("legacy-of-another-servers-keys", "other.example"),
    ("legacy-of-another-servers-users", "other.example"),
    ("legacy-without-anything", "nothing"),
    ("legacy-that-is-a-new-backups-media", ".synapse-backup"),
];

/// Whole backups, which verify-backup finds good; only this deployment cannot take them.
const REFUSED_BY_RESTORE_ALONE: [Row; 3] = [
    ("promises-more-than-any-disk-holds", "larger"),
    ("schema-of-a-far-future", "9999"),
    ("schema-of-a-far-future-behind-the-manifest", "9999"),
];

/// One of each class is verified too: what brings a backup is the same.
const ALSO_VERIFIED: [&str; 38] = [
    "parent-folder",
    "absolute-path",
    "the-charms-journal",
    "nul-in-name",
    "same-file-twice",
    "file-below-a-file",
    "set-user-id",
    "extra-paths-that-overlap",
    "symbolic-link-then-file-through-it",
    "hard-link-out",
    "character-device",
    "fifo",
    "more-entries-than-promised",
    "more-bytes-than-promised",
    "huge-sparse-file",
    "zstd-bomb",
    "cut-in-gpgs-header",
    "cut-behind-the-session-key",
    "cut-in-the-packet",
    "cut-at-tars-boundary",
    "cut-before-the-end-marker",
    "flipped-at-the-start",
    "flipped-in-the-middle",
    "flipped-at-the-end",
    "two-messages",
    "noise-behind",
    "earlier-backup-under-this-id",
    "media-of-an-earlier-backup",
    "other-server",
    "other-servers-users-behind-our-manifests",
    "damaged-database",
    "no-database",
    "public-key-message",
    "unencrypted-media-message",
    "other-passphrase",
    "unknown-inner-format",
    "legacy-journal-that-deletes-the-live-database",
    "legacy-of-another-servers-keys",
];

fn assert_refused(rows: &[Row]) {
    let unchanged = ["unchanged", "legacy-unchanged"];
    let names = rows.iter().map(|(name, _)| *name).chain(unchanged);
    let forgeries = Forgeries::of(names);
    let mut faults = Vec::new();
    for (name, words) in rows {
        faults.extend(forgeries.fault_of("restore-backup", name, words));
        if ALSO_VERIFIED.contains(name) {
            faults.extend(forgeries.fault_of("verify-backup", name, words));
        }
        faults.extend(forgeries.changes(name));
    }
    // That a backup was forged is not what is refused.
    let deployment = &forgeries.deployment;
    for name in unchanged {
        let id = forgeries.ids[name].as_str();
        let verified = deployment.run(UNIT, "verify-backup", json!({"backup-id": id}));
        if verified.status != "completed" {
            faults.push(format!("verify-backup, {name}: {}", verified.message));
        }
    }
    faults.extend(forgeries.homeserver.differences(deployment));
    let log = deployment.log_end();
    assert!(faults.is_empty(), "{}\n{log}", faults.join("\n"));
}

#[test]
fn restore_of_members_with_hostile_names_is_refused() {
    assert_refused(&NAMES);
}

#[test]
fn restore_of_members_of_hostile_types_is_refused() {
    assert_refused(&TYPES);
}

#[test]
fn restore_of_more_than_was_promised_is_refused() {
    assert_refused(&AMOUNTS);
}

#[test]
fn restore_of_a_cut_backup_is_refused() {
    assert_refused(&CUT);
}

#[test]
fn restore_of_a_changed_backup_is_refused() {
    assert_refused(&CHANGED);
}

#[test]
fn restore_of_another_backup_is_refused() {
    assert_refused(&OTHERS);
}

#[test]
fn restore_of_what_is_no_message_of_ours_is_refused() {
    assert_refused(&MESSAGES);
}

#[test]
fn restore_of_a_hostile_backup_of_the_python_charm_is_refused() {
    assert_refused(&LEGACY);
}

#[test]
fn restore_of_what_this_deployment_cannot_take_is_refused() {
    assert_refused(&REFUSED_BY_RESTORE_ALONE);
}
