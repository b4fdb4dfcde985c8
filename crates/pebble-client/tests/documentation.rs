//! The tests that the documents name are there, and every public item is shown by an example, its own or one that it names.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn tests_that_the_documents_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("tests"), &mut files);
    rust_files(&root.join("src"), &mut files);
    let sources: Vec<(String, String)> = files
        .iter()
        .map(|file| {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, std::fs::read_to_string(file).unwrap())
        })
        .collect();
    let mut count = 0;
    for document in ["docs/pebble.md", "docs/tests.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for named in text.split('`').skip(1).step_by(2) {
            let (file, case) = match (named.split_once("::"), named.strip_prefix("src: ")) {
                (_, Some(case)) => (None, case),
                (Some((file, case)), None)
                    if file.chars().all(|c| c.is_ascii_lowercase() || c == '_') =>
                {
                    (Some(file), case)
                }
                _ => continue,
            };
            let function = format!("fn {case}()");
            let there = sources.iter().any(|(stem, source)| {
                file.is_none_or(|file| file == stem) && source.contains(&function)
            });
            assert!(there || case == "test", "{document}: there is no {named}");
            count += 1;
        }
    }
    assert!(count > 100, "only {count} names were found");
}

/// The name of the function, type or trait that a line declares for users.
fn public_item(line: &str) -> Option<&str> {
    let mut words = line
        .strip_prefix("pub ")?
        .split([' ', '(', '<', '{', ':', ';']);
    let mut word = words.next()?;
    while ["const", "async"].contains(&word) && line.contains("fn ") {
        word = words.next()?;
    }
    let kinds = ["fn", "struct", "enum", "trait"];
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
            let has_example = documentation.contains("```")
                || documentation.contains("has an example")
                || documentation.contains("have an example");
            // What a macro makes is shown where it is used.
            if !has_example && !name.starts_with('$') {
                found.push(name.to_owned());
            }
            documentation.clear();
        } else if line.is_empty() || line.ends_with(['{', '}', ';']) {
            documentation.clear();
        }
    }
    found
}

#[test]
fn every_public_item_has_an_example() {
    let mut files = Vec::new();
    rust_files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    // The doors of the fuzz targets are hidden; what `open_enum!` makes is the same everywhere.
    files.retain(|file| !file.ends_with("fuzzing.rs") && !file.ends_with("open_enum.rs"));
    assert!(files.len() > 30);
    let mut found = Vec::new();
    for file in files {
        let lacking = without_example(&std::fs::read_to_string(&file).unwrap());
        let named = lacking
            .into_iter()
            .map(|name| format!("{}: {name}", file.display()));
        found.extend(named);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn check_above_finds_what_it_looks_for() {
    let text = "/// A.\npub async fn a() {}\n/// ```\n/// b();\n/// ```\n#[must_use]\npub const fn b() {}\n";
    assert_eq!(without_example(text), ["a"]);
}
