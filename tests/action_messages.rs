//! Every message that the reference of the actions names is one that the charm says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// What is left out of a message in the reference, or put together from several by the charm.
const BREAKS: [&str; 7] = ["...", "; ", ": ", " (", ")", "/0", ", "];

/// Fewer letters stand anywhere.
const SHORTEST: usize = 6;

#[test]
fn messages_of_the_reference_are_those_of_the_charm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reference = fs::read_to_string(root.join("docs/reference/actions.md")).unwrap();
    let mut said = String::new();
    read_sources(&root.join("src"), &mut said);
    let messages = messages(&reference);
    assert!(messages.len() > 50, "{messages:?}");
    let mut unknown = Vec::new();
    for message in messages {
        let fragments = fragments(message);
        if fragments.is_empty() || !fragments.iter().all(|fragment| said.contains(fragment)) {
            unknown.push((message, fragments));
        }
    }
    assert!(unknown.is_empty(), "no source says: {unknown:#?}");
}

#[test]
fn fragments_are_what_stands_between_what_varies() {
    assert_eq!(
        fragments("cannot X: the S3 server does not know the access key (...)"),
        ["cannot", "the S3 server does not know the access key"]
    );
    assert_eq!(
        fragments("X in Y is not granted: juju grant-secret ..."),
        ["is not granted", "juju grant-secret"]
    );
}

/// What is set as code in the first column of the tables of messages.
fn messages(reference: &str) -> Vec<&str> {
    let mut in_table = false;
    let mut messages = Vec::new();
    for line in reference.lines() {
        if line.starts_with("| message begins or goes |") {
            in_table = true;
        } else if !line.starts_with('|') {
            in_table = false;
        } else if in_table {
            let cell = line.split(" | ").next().unwrap_or_default();
            messages.extend(cell.split('`').skip(1).step_by(2));
        }
    }
    messages
}

fn fragments(message: &str) -> Vec<String> {
    let mut words = message.replace("\"X\"", " X ").replace("\"Y\"", " Y ");
    for pause in BREAKS {
        words = words.replace(pause, "\0");
    }
    let varies = |word: &&str| matches!(*word, "X" | "Y" | "Z" | "X,");
    words
        .split('\0')
        .flat_map(|part| {
            let words: Vec<&str> = part.split(' ').collect();
            let runs = words.split(|word| varies(word));
            runs.map(|run| run.join(" ").trim().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|fragment| fragment.len() >= SHORTEST)
        .collect()
}

/// All that the charm and its programs in the workload could say, without what tests say.
fn read_sources(folder: &Path, said: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            read_sources(&path, said);
        }
        let is_source = path
            .extension()
            .is_some_and(|end| ["rs", "py", "sh"].iter().any(|known| end == *known));
        if is_source && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            said.push_str(&in_one_line(text));
        }
    }
}

/// Texts that go over several lines: Rust's end with a backslash, Python's go on in the next quotes.
fn in_one_line(text: &str) -> String {
    let mut joined = String::new();
    let comment = |line: &&str| {
        ["//", "# "]
            .iter()
            .any(|begin| line.trim_start().starts_with(begin))
    };
    for line in text.lines().filter(|line| !comment(line)) {
        let begin = line.trim_start();
        if joined.ends_with('\\') {
            joined.pop();
            joined.push_str(begin);
        } else if let (true, Some(more)) = (
            joined.ends_with('"'),
            ["f\"", "\""]
                .iter()
                .find_map(|quote| begin.strip_prefix(quote)),
        ) {
            joined.pop();
            joined.push_str(more);
        } else {
            joined.push('\n');
            joined.push_str(line);
        }
    }
    joined
}
