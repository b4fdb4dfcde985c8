//! What extracting takes, and what it refuses.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::volume::{ID, MEDIA, Volume, assert_good, file, folder, header, member};

/// Two members that have or need the same name.
type Pair = fn(&str) -> [Vec<u8>; 2];

/// Words of the refusal where members are written and where they are only read.
const TWICE: [&str; 2] = ["twice"; 2];
const BELOW: [&str; 2] = ["below a file"; 2];

#[test]
fn members_that_lead_elsewhere_or_are_no_files_are_refused() {
    let rows: [(&str, u8, u32, &str); 17] = [
        ("../x", b'0', 0o600, "no path below"),
        ("{media}/../../../outside/x", b'0', 0o600, "no path below"),
        ("/{media}/x", b'0', 0o600, "no path below"),
        ("{media}//x", b'0', 0o600, "no path below"),
        ("outside/x", b'0', 0o600, "does not belong"),
        (
            "{data}/.synapse-charm/journal.json",
            b'0',
            0o600,
            "does not belong",
        ),
        ("{data}/homeserver.db", b'0', 0o600, "does not belong"),
        (
            "{data}/a.example.signing.key",
            b'0',
            0o600,
            "does not belong",
        ),
        (
            "{data}/media_store/remote_content/x",
            b'0',
            0o600,
            "does not belong",
        ),
        ("{media}/x", b'1', 0o600, "hard link"),
        ("{media}/x", b'2', 0o600, "symbolic link"),
        ("{media}/x", b'3', 0o600, "character device"),
        ("{media}/x", b'4', 0o600, "block device"),
        ("{media}/x", b'6', 0o600, "FIFO"),
        ("{media}/x", b'S', 0o600, "sparse"),
        ("{media}/x", b'0', 0o4755, "4755"),
        ("{media}/x", b'0', 0o2755, "2755"),
    ];
    for (name, kind, mode, words) in rows {
        let volume = Volume::new();
        let name = name
            .replace("{media}", &volume.inside(MEDIA))
            .replace("{data}", &volume.inside("data"));
        let archive = volume.archive(&json!({}), &[member(name, kind, mode, b"")]);
        volume.assert_refused(&archive, &json!({}), words);
    }
}

#[test]
fn link_in_the_staging_is_not_followed() {
    for at in ["data", MEDIA] {
        let volume = Volume::new();
        let link = volume.staged(at);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(volume.path("outside"), &link).unwrap();
        let name = volume.inside(&format!("{MEDIA}/x"));
        let archive = volume.archive(&json!({}), &[file(name, b"x")]);
        volume.assert_refused(&archive, &json!({}), "below a file");
    }
    let volume = Volume::new();
    let link = volume.staged(&format!("{MEDIA}/x"));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(volume.path("data/homeserver.db"), &link).unwrap();
    let archive = volume.archive(
        &json!({}),
        &[file(volume.inside(&format!("{MEDIA}/x")), b"x")],
    );
    volume.assert_refused(&archive, &json!({}), "twice");
}

#[test]
fn names_that_are_in_an_archive_twice_are_refused() {
    // What is only read is judged as what is written, though without a volume that tells.
    let rows: [(Pair, [&str; 2]); 7] = [
        (|name| [file(name, b"1"), file(name, b"2")], TWICE),
        (|name| [file(name, b""), folder(name)], TWICE),
        (|name| [folder(name), file(name, b"")], TWICE),
        (|name| [folder(name), folder(name)], TWICE),
        (
            |name| [file(format!("{name}/y"), b""), file(name, b"")],
            ["twice", "below a file"],
        ),
        (
            |name| [file(name, b""), file(format!("{name}/y"), b"")],
            BELOW,
        ),
        (
            |name| [file(name, b""), folder(&format!("{name}/y/z/"))],
            BELOW,
        ),
    ];
    for (row, words) in rows {
        for (write, words) in [json!(["media"]), json!([])].iter().zip(words) {
            let volume = Volume::new();
            let archive = volume.archive(&json!({}), &row(&volume.inside(&format!("{MEDIA}/x"))));
            volume.assert_refused(&archive, &json!({ "write": write }), words);
        }
    }
    let volume = Volume::new();
    let name = volume.inside(&format!("{MEDIA}/x"));
    let members = [
        file(format!("{name}/a/1"), b""),
        folder(&name),
        file(format!("{name}/b/1"), b""),
        folder(&format!("{name}/a/")),
        file(format!("{name}/a/2"), b""),
        file(format!("{name}a"), b""),
    ];
    for write in [json!(["media"]), json!([])] {
        let archive = volume.archive(&json!({}), &members);
        assert_good(&volume.extract(&archive, &json!({ "write": write })));
    }
}

#[test]
fn members_of_a_legacy_archive_that_have_one_place_are_refused() {
    let volume = Volume::new();
    let data = volume.inside("data");
    let archive = [
        file(format!("{data}/one/local_content/x"), b"1"),
        file(format!("{data}/two/local_content/x"), b"2"),
        vec![0; 1024],
    ];
    for write in [json!([]), json!(["media"])] {
        let plan = json!({"format": null, "archive": "legacy", "write": write});
        volume.assert_refused(&archive.concat(), &plan, "twice");
    }
}

#[test]
fn members_in_more_folders_than_can_be_opened_are_refused() {
    for write in [json!(["media"]), json!([])] {
        let volume = Volume::new();
        let deep = |depth| format!("{}/{}", volume.inside(MEDIA), vec!["d"; depth].join("/"));
        let archive = |name: &str| {
            let long = member("././@LongLink", b'L', 0o644, name.as_bytes());
            volume.archive(&json!({}), &[long, file("cut", b"")])
        };
        let plan = json!({ "write": write });
        assert_good(&volume.extract(&archive(&deep(400)), &plan));
        volume.assert_refused(&archive(&deep(1000)), &plan, "folders deep");
    }
}

#[test]
fn memory_hardly_grows_with_names_that_are_only_read() {
    const FILES: u64 = 200_000;
    let volume = Volume::new();
    let peak_bytes = |files: u64| {
        let name = |index| {
            let folder = index / 5;
            volume.inside(&format!("{MEDIA}/{folder:06}/{index:06}"))
        };
        let members: Vec<_> = (0..files).map(|index| file(name(index), b"")).collect();
        let archive = volume.archive(&json!({"entries": files}), &members);
        let plan = json!({"write": [], "tell_memory": true});
        let said = assert_good(&volume.extract(&archive, &plan));
        let peak = said.lines().last().unwrap();
        let peak: Value = serde_json::from_str(peak).unwrap();
        peak["peak_bytes"].as_u64().unwrap()
    };
    let more = peak_bytes(FILES).saturating_sub(peak_bytes(10));
    assert!(more < FILES * 30, "{FILES} files took {more} bytes more");
}

#[test]
fn more_than_was_promised_is_refused() {
    let volume = Volume::new();
    let name = |index: usize| volume.inside(&format!("{MEDIA}/{index}"));
    let many: Vec<_> = (0..1010).map(|index| file(name(index), b"")).collect();
    volume.assert_refused(
        &volume.archive(&json!({}), &many),
        &json!({"write": []}),
        "promised",
    );
    let large = file(name(0), &vec![1; 1_100_000]);
    volume.assert_refused(
        &volume.archive(&json!({}), &[large]),
        &json!({}),
        "promised",
    );
    let mut huge = header(name(0).as_bytes(), b'0', 0o600, 0, b"");
    huge[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\x02\0\0\0\0");
    huge[148..156].copy_from_slice(b"        ");
    let sum: u32 = huge.iter().map(|&byte| u32::from(byte)).sum();
    huge[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    volume.assert_refused(&volume.archive(&json!({}), &[huge]), &json!({}), "promised");
}

#[test]
fn volume_that_runs_full_ends_it_before_the_reserve_is_used_up() {
    const MIB: u64 = 1 << 20;
    let volume = Volume::new();
    let content = vec![7; 70 << 20];
    let media = file(volume.inside(&format!("{MEDIA}/x")), &content);
    let archive = volume.archive(&json!({"bytes": content.len()}), &[media]);
    // The reserve is reached within the second between two looks, the end of the volume too.
    let rows = [
        (
            40 * MIB,
            "free space on the data volume fell under 41943040 bytes",
        ),
        (
            0,
            "cannot write a file to the data volume: No space left on device",
        ),
    ];
    for (reserve_bytes, words) in rows {
        let plan = json!({ "reserve_bytes": reserve_bytes });
        let output = volume.extract_to_small(64 * MIB, &archive, &plan);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{words}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    }
    let plan = json!({"reserve_bytes": 10 * MIB});
    assert_good(&volume.extract_to_small(128 * MIB, &archive, &plan));
}

#[test]
fn archive_of_another_backup_server_format_or_kind_is_refused() {
    let volume = Volume::new();
    let rows = [
        (json!({"format": 2}), "unknown format 2"),
        (json!({"format": "1"}), "unknown format"),
        (
            json!({"id": "backup-20200101-000000-0000"}),
            "backup-20200101-000000-0000",
        ),
        (json!({"archive": "state"}), "archive 'state'"),
        (json!({"server_name": "other.example"}), "other.example"),
        (json!({"engine": "postgresql"}), "postgresql"),
        (json!({"entries": -1}), "does not say"),
        (json!({"bytes": true}), "does not say"),
        (json!({"media_paths": ["/etc"]}), "no extra path"),
        (
            json!({"media_paths": [volume.path("data")]}),
            "no extra path",
        ),
        (
            json!({"media_paths": [volume.path("data/homeserver.db-wal")]}),
            "no extra path",
        ),
        (
            json!({"media_paths": [volume.path("data/.restore-x")]}),
            "no extra path",
        ),
    ];
    for (change, words) in rows {
        volume.assert_refused(&volume.archive(&change, &[]), &json!({}), words);
    }
    let late = file(volume.inside(&format!("{MEDIA}/x")), b"");
    volume.assert_refused(
        &[late, vec![0; 1024]].concat(),
        &json!({}),
        "manifest.json must be",
    );
}

#[test]
fn archive_that_is_cut_anywhere_or_goes_on_never_counts() {
    let volume = Volume::new();
    let members = [file(volume.inside(&format!("{MEDIA}/x")), &[7; 700])];
    let whole = volume.archive(&json!({}), &members);
    for cut in (0..whole.len()).step_by(256).chain([1, whole.len() - 1]) {
        let output = volume.extract(&whole[..cut], &json!({"write": []}));
        assert_eq!(output.status.code(), Some(66), "{cut}");
    }
    for behind in [
        b"x".to_vec(),
        whole.clone(),
        vec![0; 20_480],
        file("x", b""),
    ] {
        let archive = [whole.clone(), behind].concat();
        volume.assert_refused(&archive, &json!({"write": []}), "behind");
    }
    assert_good(&volume.extract(&[whole, vec![0; 5000]].concat(), &json!({})));
}

/// What the charm's archive has between our two members, made by the tar that makes it.
fn by_tar(volume: &Volume, format: &str) -> Vec<u8> {
    let content = volume.path("content");
    fs::create_dir_all(content.join(".synapse-backup")).unwrap();
    let write = |name: &str, value: &Value| {
        fs::write(
            content.join(".synapse-backup").join(name),
            value.to_string(),
        )
        .unwrap();
    };
    write(
        "manifest.json",
        &volume.manifest(&json!({"entries": 1000, "bytes": 100_000})),
    );
    write(
        "end.json",
        &json!({"format": 1, "id": ID, "archive": "media", "end": true}),
    );
    let ours = format!("--directory={}", content.display());
    let made = Command::new("tar")
        .args(["--create", "--file=-", format, "--hard-dereference", &ours])
        .args([".synapse-backup/manifest.json", "--directory=/"])
        .arg(volume.inside(MEDIA))
        .args([&ours, ".synapse-backup/end.json"])
        .output()
        .unwrap();
    assert!(made.status.success());
    fs::remove_dir_all(content).unwrap();
    made.stdout
}

#[test]
fn names_of_any_bytes_and_length_come_back_as_they_were() {
    let long = [b'n'; 255];
    let names: [&[u8]; 8] = [
        b"-rf",
        b"two\nlines",
        b"quote's \"double\" $(id) `id`",
        b"back\\slash\\n",
        b"not-utf8-\xff\xfe",
        b" spaces and tab\t",
        b"=",
        &long,
    ];
    for format in ["--format=gnu", "--format=posix"] {
        let volume = Volume::new();
        let deep = volume.path(MEDIA).join(["d"; 100].join("/"));
        fs::create_dir_all(&deep).unwrap();
        for folder in [volume.path(MEDIA), deep] {
            for name in names {
                fs::write(folder.join(OsStr::from_bytes(name)), name).unwrap();
            }
        }
        let program = volume.path(MEDIA).join("executable");
        fs::write(&program, b"").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(volume.path(MEDIA), fs::Permissions::from_mode(0o2777)).unwrap();
        let said = assert_good(&volume.extract(&by_tar(&volume, format), &json!({})));
        let root = format!("{{\"path\": \"/{}\"}}", volume.inside(MEDIA));
        assert!(said.contains(&root), "{said}");
        let staged = volume.staged(MEDIA);
        let mut diff = Command::new("diff");
        let same = diff.arg("-r").arg(volume.path(MEDIA)).arg(&staged).status();
        assert!(same.unwrap().success(), "{format}");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&staged), 0o700);
        assert_eq!(mode(&staged.join("executable")), 0o700);
        assert_eq!(mode(&staged.join("=")), 0o600);
        let time = |path: PathBuf| fs::metadata(path).unwrap().mtime();
        assert_eq!(time(staged.join("=")), time(volume.path(MEDIA).join("=")));
    }
}

#[test]
fn legacy_archive_gives_keys_database_and_media_of_any_store() {
    let volume = Volume::new();
    let plan = json!({"format": null, "archive": "legacy"});
    let data = volume.inside("data");
    let members = [
        file(format!("{data}/a.example.signing.key"), b"key"),
        file(format!("{data}/homeserver.db"), b"database"),
        file(format!("{data}/homeserver.db-shm"), b"shared"),
        file(format!("{data}/homeserver.db-wal"), b"log"),
        member(format!("{data}/media/local_content/"), b'5', 0o755, b""),
        file(format!("{data}/media/local_content/aa"), b"media"),
    ];
    let archive = |members: &[Vec<u8>]| [members.concat(), vec![0; 1024]].concat();
    let said = assert_good(&volume.extract(&archive(&members), &plan));
    assert!(said.contains("\"entries\": 6"), "{said}");
    for (path, content) in [
        ("data/a.example.signing.key", "key"),
        ("data/homeserver.db", "database"),
        ("data/homeserver.db-wal", "log"),
        ("data/media_store/local_content/aa", "media"),
    ] {
        assert_eq!(fs::read_to_string(volume.staged(path)).unwrap(), content);
    }
    assert!(!volume.staged("data/homeserver.db-shm").exists());
    let link = member(format!("{data}/media/local_content/x"), b'2', 0o777, b"");
    let rows = [
        (
            file(format!("{data}/homeserver.db-journal"), b""),
            "homeserver.db-journal does not belong",
        ),
        (file("etc/cron.d/x", b""), "does not belong"),
        (
            file(format!("{data}/other.example.signing.key"), b""),
            "other.example",
        ),
        (link, "symbolic link"),
        (Vec::new(), "nothing is in it"),
    ];
    for (member, words) in rows {
        fs::remove_dir_all(volume.path("data/new")).unwrap();
        fs::create_dir(volume.path("data/new")).unwrap();
        // Another server's may be good, and is told apart from what no server's backup holds.
        let status = if words == "other.example" { 68 } else { 65 };
        volume.assert_ends_with(status, &archive(&[member]), &plan, words);
    }
}
