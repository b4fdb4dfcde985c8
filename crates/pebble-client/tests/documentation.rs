//! The tests that the documents name are there.
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
