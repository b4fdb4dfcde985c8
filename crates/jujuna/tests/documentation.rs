//! Every public item is shown by an example that runs, its own or one that it names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// All Rust files of the crate.
fn sources() -> Vec<PathBuf> {
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            found.push(path);
        }
    }
    assert!(found.len() > 50);
    found
}

/// The name of the function, type, trait or constant that a line declares for users.
fn public_item(line: &str) -> Option<&str> {
    let mut words = line
        .strip_prefix("pub ")?
        .split([' ', '(', '<', '{', ':', ';']);
    let mut word = words.next()?;
    while word == "const" && line.contains(" fn ") {
        word = words.next()?;
    }
    let kinds = ["fn", "struct", "enum", "trait", "type", "const"];
    kinds.contains(&word).then(|| words.next()).flatten()
}

/// Items whose documentation neither has an example nor names one.
fn without_example(text: &str) -> Vec<String> {
    let mut documentation = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line == "#[cfg(test)]" {
            break;
        }
        if line.starts_with("///") {
            documentation.push_str(line);
        } else if let Some(name) = public_item(line) {
            if !documentation.contains("```") && !documentation.contains("has an example") {
                found.push(name.to_owned());
            }
            documentation.clear();
        } else if line.is_empty()
            || line.ends_with(['{', '}', ';', ',']) && !line.starts_with("clippy::")
        {
            documentation.clear();
        }
    }
    found
}

#[test]
fn every_public_item_has_an_example() {
    let mut found = Vec::new();
    for file in sources() {
        let lacking = without_example(&fs::read_to_string(&file).unwrap());
        found.extend(
            lacking
                .into_iter()
                .map(|name| format!("{}: {name}", file.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn check_above_finds_what_it_looks_for() {
    let text = "/// A.\npub fn a() {}\n/// ```\n/// b();\n/// ```\n#[must_use]\npub const fn b() {}\npub(crate) fn c() {}\n";
    assert_eq!(without_example(text), ["a"]);
}
