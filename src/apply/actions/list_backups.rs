//! `list-backups`.

use super::whole_seconds;
use crate::apply::{Applied, Halt};
use crate::backup::S3Client;
use crate::backup::catalog::{self, Catalog, Entry};
use crate::plan::ListBackups;

pub(in crate::apply) async fn list_backups(
    request: &ListBackups,
    applied: &mut Applied,
) -> Result<(), Halt> {
    let client = S3Client::new(&request.parameters)?;
    let catalog = catalog::list(&client).await?;
    let results = list_results(&catalog, request, client.place());
    applied.results.extend(results);
    Ok(())
}

fn list_results(catalog: &Catalog, request: &ListBackups, place: &str) -> Vec<(String, String)> {
    let limit = request.limit.min(catalog::table::MOST_ENTRIES);
    let (shown, truncated) = catalog.page(limit, request.before.as_deref());
    let formatted = if catalog.entries.is_empty() {
        format!("there is no backup in {place}")
    } else {
        catalog::table::formatted(shown)
    };
    let mut results = vec![
        ("formatted".to_owned(), formatted),
        ("count".to_owned(), catalog.entries.len().to_string()),
        ("shown".to_owned(), shown.len().to_string()),
        ("truncated".to_owned(), truncated.to_string()),
    ];
    results.extend(shown.iter().flat_map(entry_results));
    results
}

fn entry_results(entry: &Entry) -> Vec<(String, String)> {
    let key = |field: &str| format!("backups.{}.{field}", entry.id);
    let mut results = vec![
        (key("state"), entry.status()),
        (key("last-modified"), whole_seconds(entry.modified)),
        (key("size-bytes"), entry.size_bytes.to_string()),
    ];
    if let Some(last) = entry.verified.first() {
        let text = format!("{} {}", last.word(), whole_seconds(last.at));
        results.push((key("verified"), text));
    }
    results
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::backup::catalog::BackupState;
    use crate::backup::{RawS3Parameters, S3Parameters};

    fn request(limit: usize, before: Option<&str>) -> ListBackups {
        let raw = RawS3Parameters {
            access_key: Some("AK".into()),
            secret_key: Some("SK".into()),
            bucket: Some("backups".into()),
            region: Some("eu".into()),
            ..RawS3Parameters::default()
        };
        ListBackups {
            parameters: S3Parameters::new(raw).unwrap(),
            limit,
            before: before.map(str::to_owned),
        }
    }

    fn catalog(count: usize) -> Catalog {
        let entries = (0..count).rev().map(|index| Entry {
            id: format!("backup-20261123-070501-{index:04x}")
                .parse()
                .unwrap(),
            state: BackupState::Finished,
            marker: None,
            legacy_object: None,
            verified: vec!["verified-20261123-110203-failed.json".parse().unwrap()],
            modified: Timestamp::UNIX_EPOCH,
            size_bytes: 1 << 60,
        });
        Catalog {
            entries: entries.collect(),
            foreign_objects: 0,
        }
    }

    #[test]
    fn list_says_what_is_shown_and_what_is_left_out() {
        let results: BTreeMap<_, _> = list_results(&catalog(3), &request(2, None), "x")
            .into_iter()
            .collect();
        assert_eq!(
            (results["count"].as_str(), results["shown"].as_str()),
            ("3", "2")
        );
        assert_eq!(results["truncated"], "true");
        assert_eq!(
            results["backups.backup-20261123-070501-0002.state"],
            "finished"
        );
        assert_eq!(
            results["backups.backup-20261123-070501-0002.last-modified"],
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(
            results["backups.backup-20261123-070501-0002.verified"],
            "failed 2026-11-23T11:02:03Z"
        );
        let next = list_results(
            &catalog(3),
            &request(2, Some("backup-20261123-070501-0001")),
            "x",
        );
        assert!(next.contains(&("shown".to_owned(), "1".to_owned())));
    }

    #[test]
    fn empty_list_says_where_it_looked() {
        let place = "path matrix in bucket backups at AWS";
        let results = list_results(&catalog(0), &request(2, None), place);
        let formatted = format!("there is no backup in {place}");
        assert!(results.contains(&("formatted".to_owned(), formatted)));
        assert!(results.contains(&("count".to_owned(), "0".to_owned())));
    }

    #[test]
    fn longest_list_stays_under_100_kib() {
        let results = list_results(&catalog(5000), &request(1000, None), "x");
        let bytes: usize = results
            .iter()
            .map(|(key, value)| key.len() + value.len() + 2)
            .sum();
        assert!(bytes < 100 * 1024, "{bytes}");
    }
}
