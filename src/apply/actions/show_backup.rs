//! `show-backup`.

use std::collections::BTreeMap;

use super::whole_seconds;
use crate::apply::{Applied, Halt};
use crate::backup::S3Client;
use crate::backup::catalog::manifest::{ArchiveManifest, Manifest};
use crate::backup::catalog::table::size;
use crate::backup::catalog::{self, BackupChoice, Description, Verification};
use crate::plan::ShowBackup;

pub(in crate::apply) async fn show_backup(
    request: &ShowBackup,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let client = S3Client::new(&request.parameters)?;
    let id = match &request.choice {
        BackupChoice::Id(id) => id.clone(),
        BackupChoice::Latest => {
            let server_name = request.server_name.as_deref().unwrap_or_default();
            let latest = catalog::find(&client, &request.choice, server_name);
            latest.await?.id
        }
    };
    let description = catalog::describe(&client, &id).await?;
    applied.results.extend(results(&description));
    Ok(())
}

/// Collects results. Much of what they hold comes from the bucket: what is no plain text is made so.
#[derive(Debug, Default)]
struct Results(BTreeMap<String, String>);

impl Results {
    fn put(&mut self, key: &str, value: &(impl ToString + ?Sized)) {
        let clean: String = value
            .to_string()
            .chars()
            .map(|letter| {
                if letter.is_control() && letter != '\n' {
                    ' '
                } else {
                    letter
                }
            })
            .take(4000)
            .collect();
        self.0.insert(key.to_owned(), clean);
    }

    fn put_some(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(key, &value);
        }
    }
}

fn results(description: &Description) -> BTreeMap<String, String> {
    let entry = &description.entry;
    let mut results = Results::default();
    results.put("backup-id", &entry.id);
    results.put("state", &entry.status());
    results.put("last-modified", &whole_seconds(entry.modified));
    results.put("size-bytes", &entry.size_bytes);
    results.put("size", &size(entry.size_bytes));
    results.put("objects", &description.objects.len());
    if let Some(started) = &description.started {
        results.put("made-by", &started.unit);
        results.put("server-name", &started.server_name);
        results.put("started", &whole_seconds(started.at));
    }
    if let Some(manifest) = &description.manifest {
        put_manifest(manifest, &mut results);
    }
    if entry.is_legacy() {
        results.put("made-by", "the Python charm");
        results.put(
            "contents",
            "one archive of database, keys and local media; what is in it is known when it is decrypted: verify-backup",
        );
    }
    let mut problems = description.problems.clone();
    if let Some(failure) = &description.failure {
        problems.push(format!("{}; {}", failure.cause, failure.next_step));
        results.put("failed", &whole_seconds(failure.at));
    }
    if !problems.is_empty() {
        results.put("problems", &problems.join("\n"));
    }
    put_verifications(description, &mut results);
    results.0
}

fn put_manifest(manifest: &Manifest, results: &mut Results) {
    results.put("server-name", &manifest.server_name);
    results.put("started", &whole_seconds(manifest.started));
    results.put("finished", &whole_seconds(manifest.finished));
    let took = manifest.finished.duration_since(manifest.started);
    results.put("duration-seconds", &took.as_secs().max(0));
    results.put("engine", &manifest.engine);
    results.put_some("synapse-version", manifest.synapse_version.as_ref());
    results.put_some("schema-version", manifest.schema_version);
    results.put_some("compat-version", manifest.compat_version);
    results.put("changed-while-read", &manifest.changed_while_read);
    if let Some(contents) = &manifest.contents {
        results.put("contents", &contents);
        results.put("contents-bytes.database", &contents.database_bytes);
        results.put("contents-bytes.media", &contents.media_bytes);
        results.put("contents-files.state", &contents.state_files);
        results.put("contents-files.media", &contents.media_files);
    }
    for (kind, archive) in [("state", &manifest.state), ("media", &manifest.media)] {
        put_archive(kind, archive, results);
    }
}

fn put_archive(kind: &str, archive: &ArchiveManifest, results: &mut Results) {
    let key = |field: &str| format!("archives.{kind}.{field}");
    results.put(&key("object"), &archive.object);
    results.put(&key("size-bytes"), &archive.size_bytes);
    results.put(&key("entries"), &archive.entries);
    results.put(&key("file-bytes"), &archive.file_bytes);
    results.put(&key("sha256"), &archive.sha256);
}

fn put_verifications(description: &Description, results: &mut Results) {
    let names = description.entry.verified.iter();
    let lines: Vec<_> = names
        .map(|name| format!("{} {}", name.word(), whole_seconds(name.at)))
        .collect();
    results.put(
        "verified",
        &lines.first().map_or("no", |last| last.as_str()),
    );
    if lines.len() > 1 {
        results.put("verifications", &lines.join("\n"));
    }
    let details = description.verification.as_ref();
    results.put_some("verification", details.map(verification_words));
}

fn verification_words(verification: &Verification) -> String {
    let by = format!(
        "by {} in {} s",
        verification.unit, verification.duration_seconds
    );
    let found = match (verification.entries, verification.file_bytes) {
        (Some(entries), Some(bytes)) => {
            format!(": {entries} files and folders of {}", size(bytes))
        }
        _ => String::new(),
    };
    let cause = verification.cause.as_ref();
    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{by}{found}{cause}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::catalog::describe::{Failure, Started};
    use crate::backup::catalog::{BackupState, Entry};
    use jiff::Timestamp;

    fn description(id: &str) -> Description {
        Description {
            entry: Entry {
                id: id.parse().unwrap(),
                state: BackupState::Failed,
                modified: Timestamp::UNIX_EPOCH,
                size_bytes: 7,
                marker: None,
                legacy_object: None,
                verified: Vec::new(),
            },
            objects: Vec::new(),
            manifest: None,
            started: None,
            failure: None,
            verification: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn text_from_the_bucket_is_made_plain() {
        let mut shown = description("backup-20261123-110000-00ff");
        shown.started = Some(Started {
            server_name: "a\u{1b}[31m.example".into(),
            unit: "x".repeat(10_000),
            at: Timestamp::UNIX_EPOCH,
        });
        shown.failure = Some(Failure {
            cause: "no\rroom".into(),
            next_step: "make some".into(),
            at: Timestamp::UNIX_EPOCH,
        });
        let results = results(&shown);
        assert_eq!(results["server-name"], "a [31m.example");
        assert_eq!(results["made-by"].len(), 4000);
        assert_eq!(results["problems"], "no room; make some");
        assert_eq!(results["verified"], "no");
    }

    #[test]
    fn legacy_backup_says_what_can_be_told() {
        let mut shown = description("backup-20250102030405123456");
        let names = [
            "verified-20261123-110000-failed.json",
            "verified-20261122-110000-ok.json",
        ];
        shown.entry.verified = names.iter().map(|name| name.parse().unwrap()).collect();
        let results = results(&shown);
        assert_eq!(results["state"], "legacy");
        assert_eq!(results["made-by"], "the Python charm");
        assert_eq!(results["verified"], "failed 2026-11-23T11:00:00Z");
        assert_eq!(
            results["verifications"],
            "failed 2026-11-23T11:00:00Z\nok 2026-11-22T11:00:00Z"
        );
    }
}
