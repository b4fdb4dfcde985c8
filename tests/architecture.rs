//! What keeps the parts apart: who may depend on whom, who may touch the outside, how long a
//! file may be. ARCHITECTURE.md says why.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES_A_FILE: usize = 500;

/// Names that say nothing of what a file knows.
const EMPTY_NAMES: [&str; 8] = [
    "mod", "util", "utils", "helper", "helpers", "common", "misc", "shared",
];

/// What `decide` and `plan` must do without: they are a function of their arguments.
const IMPURE_WORDS: [&str; 18] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::io",
    "SystemTime",
    "Instant",
    "::now()",
    "tokio",
    "rustix",
    "getrandom",
    "rand::",
    "async fn",
    "tracing::",
    "println!",
    "include_bytes!",
];

/// What starts a process or asks the environment without clippy.toml's methods.
const OUTSIDE_WORDS: [&str; 6] = [
    "process::Command",
    "tokio::process",
    "env::var",
    "env::args",
    "rustix::process",
    "rustix::runtime",
];

#[test]
fn crates_depend_on_each_other_in_one_direction_only() {
    let ours = ["synapse-charm", "jujuna", "pebble-client", "juju-sim"];
    let allowed = [
        (
            "Cargo.toml",
            "dependencies",
            ["jujuna", "pebble-client"].as_slice(),
        ),
        (
            "Cargo.toml",
            "dev-dependencies",
            &["jujuna", "pebble-client", "juju-sim"],
        ),
        ("crates/jujuna/Cargo.toml", "dependencies", &[]),
        ("crates/jujuna/Cargo.toml", "dev-dependencies", &[]),
        (
            "crates/jujuna/examples/Cargo.toml",
            "dependencies",
            &["jujuna", "pebble-client"],
        ),
        (
            "crates/jujuna/examples/Cargo.toml",
            "dev-dependencies",
            &["jujuna", "juju-sim"],
        ),
        ("crates/pebble-client/Cargo.toml", "dependencies", &[]),
        ("crates/pebble-client/Cargo.toml", "dev-dependencies", &[]),
        ("crates/juju-sim/Cargo.toml", "dependencies", &[]),
        ("crates/juju-sim/Cargo.toml", "dev-dependencies", &[]),
    ];
    for (manifest, section, allowed) in allowed {
        let used = dependencies_in(&read(manifest), section);
        assert!(
            !manifest.starts_with("crates") || section == "dev-dependencies" || !used.is_empty()
        );
        for name in used.iter().filter(|name| ours.contains(&name.as_str())) {
            let itself = manifest == format!("crates/{name}/Cargo.toml");
            assert!(
                itself || allowed.contains(&name.as_str()),
                "{manifest} must not have {name} in its {section}"
            );
        }
    }
}

#[test]
fn code_that_runs_in_a_charm_touches_the_outside_in_jujuna_only() {
    let mut found = Vec::new();
    for file in rust_files(&[
        "src",
        "crates/jujuna/src",
        "crates/pebble-client/src",
        "crates/jujuna/examples",
    ]) {
        let text = read(&file);
        let excused = text.contains("clippy::disallowed_methods");
        let in_jujuna = file.starts_with("crates/jujuna/src");
        if excused && !in_jujuna {
            found.push(format!(
                "{}: disallowed methods are jujuna's alone",
                file.display()
            ));
        }
        if !in_jujuna {
            found.extend(words_in(&file, &text, &OUTSIDE_WORDS));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn decide_and_plan_use_nothing_but_their_arguments() {
    let files = rust_files(&["src"]);
    let pure = |file: &&PathBuf| {
        let file = file.to_string_lossy();
        file.starts_with("src/decide") || file.starts_with("src/plan")
    };
    let found: Vec<String> = files
        .iter()
        .filter(pure)
        .flat_map(|file| words_in(file, &read(file), &IMPURE_WORDS))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn source_files_are_short_and_named_for_what_they_know() {
    let mut found = Vec::new();
    for file in rust_files(&["src", "tests", "examples", "benches", "crates"]) {
        let lines = read(&file).lines().count();
        if lines > MOST_LINES_A_FILE {
            found.push(format!("{}: {lines} lines, split it", file.display()));
        }
        let stem = file.file_stem().unwrap().to_string_lossy();
        if EMPTY_NAMES.contains(&stem.as_ref()) {
            found.push(format!("{}: a name that says nothing", file.display()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn checks_above_find_what_they_look_for() {
    let manifest =
        "[dependencies]\nserde.workspace = true\njujuna = { path = \"..\" }\n[features]\nx = []\n";
    assert_eq!(
        dependencies_in(manifest, "dependencies"),
        ["serde", "jujuna"]
    );
    let code =
        "fn f() {\n    let t = Timestamp::now();\n}\n// Timestamp::now() is not called here\n";
    let found = words_in(Path::new("a.rs"), code, &IMPURE_WORDS);
    assert_eq!(found, ["a.rs:2: must do without ::now()"]);
    assert!(rust_files(&["tests"]).contains(&PathBuf::from("tests/architecture.rs")));
}

/// The names in one section of a Cargo.toml.
fn dependencies_in(manifest: &str, section: &str) -> Vec<String> {
    let header = format!("[{section}]");
    manifest
        .lines()
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Where the code of a file, its comments left out, has one of the words.
fn words_in(file: &Path, text: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap();
        for word in words.iter().filter(|word| code.contains(**word)) {
            found.push(format!(
                "{}:{number}: must do without {word}",
                file.display()
            ));
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// All Rust files below some folders, from the root of the repository; those of a folder that
/// is not there yet are none.
fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = fs::read_dir(root().join(&folder)) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
