//! The relation `backup` of interface `s3`, as a requirer that asks for no bucket and no path.
//!
//! Providers of two generations are in use; only their databag tells them apart. One of the
//! first writes `data` and waits for a `bucket`, one of the second writes `lib-version` and
//! waits for ours. Credentials come in plain text.

use std::collections::BTreeMap;

use jujuna::{Event, Juju, RelationEventKind, RelationId};

use super::{Store, check, non_empty};
use crate::backup::RawS3Parameters;
use crate::plan::Answer;

/// The endpoint in `metadata.yaml`.
const ENDPOINT: &str = "backup";
/// The version of the interface's library that this requirer speaks.
const LIB_VERSION: &str = "1.0";

/// A relation and what its provider wrote.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) id: RelationId,
    pub(super) app: String,
    bag: BTreeMap<String, String>,
    others: usize,
}

/// Returns the relation, if there is one that is not just going away.
pub(super) fn read(event: &Event, juju: &Juju) -> Result<Option<Relation>, jujuna::Error> {
    let mut ids = juju.relation_ids(ENDPOINT)?;
    if let Event::Relation(relation) = event
        && relation.kind == RelationEventKind::Broken
    {
        // Juju still lists it, and its data can still be read.
        ids.retain(|id| *id != relation.id);
    }
    ids.sort();
    let Some(id) = ids.first().cloned() else {
        return Ok(None);
    };
    let app = match event {
        Event::Relation(relation) if relation.id == id && relation.remote_app.is_some() => {
            relation.remote_app.clone()
        }
        _ => juju.relation_app(&id)?,
    };
    let Some(app) = app else { return Ok(None) };
    let bag = juju.relation_get_app(&id, &app)?;
    Ok(Some(Relation {
        id,
        app,
        bag,
        others: ids.len() - 1,
    }))
}

impl Relation {
    /// Returns what the provider waits for, if the leader runs this and it is not yet written.
    ///
    /// # Errors
    ///
    /// Fails when Juju does not say who leads.
    pub(super) fn answer(&self, app: &str, juju: &Juju) -> Result<Option<Answer>, jujuna::Error> {
        let Some((key, value)) = self.wanted() else {
            return Ok(None);
        };
        // Others may not even read what their application wrote.
        if juju.leader()?.is_none() {
            return Ok(None);
        }
        let written = juju.relation_get_app(&self.id, app)?;
        let is_due = written.get(key) != Some(&value);
        Ok(is_due.then(|| Answer {
            relation: self.id.clone(),
            key,
            value,
        }))
    }

    /// Returns what the provider asks for and does not get, though backups work.
    pub(super) fn notes(&self) -> Vec<String> {
        ["attributes", "storage-class"]
            .into_iter()
            .filter(|key| {
                let value = self.bag.get(*key).map(|value| value.trim());
                value.is_some_and(|value| !matches!(value, "" | "[]" | "{}" | "STANDARD"))
            })
            .map(|key| format!("{key} from {} is not used", self.app))
            .collect()
    }

    fn wanted(&self) -> Option<(&'static str, String)> {
        if self.bag.is_empty() || self.bag.contains_key("access-key") {
            return None;
        }
        if self.bag.contains_key("lib-version") {
            return Some(("lib-version", LIB_VERSION.to_owned()));
        }
        // Never before the provider is known to be of the first generation: one of the second
        // would make a bucket of this name and hand it out.
        self.bag
            .contains_key("data")
            .then(|| ("bucket", self.placeholder()))
    }

    /// The bucket that a provider of the first generation must be asked for before it says
    /// anything.
    fn placeholder(&self) -> String {
        format!("relation-{}", self.id.number())
    }

    /// Returns what the provider's data comes to.
    pub(super) fn into_store(self) -> Store {
        let app = &self.app;
        if self.others > 0 {
            return Store::Faulty(vec![format!(
                "there are {} relations to S3 providers: remove all but one with juju remove-relation",
                self.others + 1
            )]);
        }
        let text = |key: &str| {
            self.bag
                .get(key)
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let (access_key, secret_key) = (
            non_empty(self.bag.get("access-key")),
            non_empty(self.bag.get("secret-key")),
        );
        if access_key.is_none() && secret_key.is_none() {
            if self.bag.contains_key("secret-extra") {
                return Store::Faulty(vec![format!(
                    "{app} sends its keys as a Juju secret, which this revision does not read: use juju config"
                )]);
            }
            return Store::Waiting(format!(
                "waiting for {app} to send S3 credentials (see its status)"
            ));
        }
        if text("bucket").is_some_and(|bucket| bucket == self.placeholder()) {
            return Store::Faulty(vec![format!(
                "{app} has no bucket: juju config {app} bucket=<name>"
            )]);
        }
        if text("s3-api-version").is_some_and(|version| version == "2") {
            return Store::Faulty(vec![format!(
                "{app} asks for version 2 of the S3 API: set its s3-api-version to 4"
            )]);
        }
        if let Some(class) = text("storage-class").filter(|class| needs_thaw(class)) {
            return Store::Faulty(vec![format!(
                "{app} asks for storage-class {class}, whose objects cannot be read at once: juju config {app} \
                 storage-class=STANDARD"
            )]);
        }
        let raw = RawS3Parameters {
            access_key,
            secret_key,
            region: text("region"),
            bucket: text("bucket"),
            endpoint: text("endpoint"),
            path: text("path"),
            s3_uri_style: text("s3-uri-style"),
            tls_ca_chain: text("tls-ca-chain"),
        };
        check(raw, |parameter| format!("{parameter} from {app}"))
    }
}

/// Whether objects of this class must be restored, for hours and money, before they are read.
fn needs_thaw(storage_class: &str) -> bool {
    let class = storage_class.to_ascii_uppercase();
    class == "GLACIER" || class == "DEEP_ARCHIVE"
}

#[cfg(test)]
mod tests {
    use super::*;
    use jujuna::testing::{FakeJuju, Relation as FakeRelation, State};

    fn relation(pairs: &[(&str, &str)]) -> Relation {
        Relation {
            id: RelationId::new("backup", 7),
            app: "s3-integrator".into(),
            bag: pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            others: 0,
        }
    }

    fn complete() -> Relation {
        relation(&[
            ("lib-version", "1.0"),
            ("endpoint", "http://127.0.0.1:8333"),
            ("bucket", "backups"),
            ("region", "us-east-1"),
            ("path", "/a//b/"),
            ("attributes", "x-amz-a=1,x-b=2"),
            ("s3-uri-style", "path"),
            ("access-key", "AKTEST"),
            ("secret-key", "SKTEST"),
        ])
    }

    fn fault(relation: Relation) -> String {
        match relation.into_store() {
            Store::Faulty(faults) => faults.join("; "),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn provider_that_wrote_nothing_is_waited_for_and_not_answered() {
        assert_eq!(relation(&[]).wanted(), None);
        assert!(matches!(relation(&[]).into_store(), Store::Waiting(_)));
    }

    #[test]
    fn first_generation_is_asked_for_the_placeholder() {
        assert_eq!(
            relation(&[("data", "{}")]).wanted(),
            Some(("bucket", "relation-7".into()))
        );
    }

    #[test]
    fn second_generation_is_told_the_version_and_asked_for_no_bucket() {
        assert_eq!(
            relation(&[("lib-version", "1.0")]).wanted(),
            Some(("lib-version", "1.0".into()))
        );
    }

    #[test]
    fn provider_that_sent_keys_is_answered_no_more() {
        assert_eq!(complete().wanted(), None);
    }

    #[test]
    fn complete_data_is_ready_to_use() {
        match complete().into_store() {
            Store::Ready(parameters) => {
                assert_eq!(
                    (parameters.bucket.as_str(), parameters.path.as_str()),
                    ("backups", "a/b")
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn placeholder_handed_back_means_that_no_bucket_is_set() {
        let mut relation = complete();
        relation.bag.insert("bucket".into(), "relation-7".into());
        assert!(fault(relation).contains("juju config s3-integrator bucket="));
    }

    #[test]
    fn keys_in_a_secret_are_refused_by_name() {
        assert!(
            fault(relation(&[
                ("lib-version", "1.0"),
                ("secret-extra", "secret:x")
            ]))
            .contains("Juju secret")
        );
    }

    #[test]
    fn malformed_values_name_the_provider_and_the_key() {
        let mut relation = complete();
        relation
            .bag
            .insert("bucket".into(), "a b'; rm -rf /".into());
        let text = fault(relation);
        assert!(text.contains("bucket from s3-integrator"), "{text}");
    }

    #[test]
    fn one_key_alone_is_a_fault() {
        let mut relation = complete();
        relation.bag.remove("secret-key");
        assert!(fault(relation).contains("secret-key from s3-integrator"));
    }

    #[test]
    fn storage_class_that_must_be_thawed_is_refused_by_name() {
        for class in ["GLACIER", "deep_archive"] {
            let mut relation = complete();
            relation.bag.insert("storage-class".into(), class.into());
            let text = fault(relation);
            assert!(
                text.contains(class) && text.contains("juju config s3-integrator storage-class="),
                "{text}"
            );
        }
    }

    #[test]
    fn what_the_provider_asks_for_in_vain_is_said() {
        let mut relation = complete();
        relation
            .bag
            .insert("storage-class".into(), "STANDARD_IA".into());
        assert_eq!(
            relation.notes(),
            [
                "attributes from s3-integrator is not used",
                "storage-class from s3-integrator is not used"
            ]
        );
        assert!(matches!(relation.into_store(), Store::Ready(_)));
        relation = complete();
        relation.bag.insert("attributes".into(), "[]".into());
        relation.bag.insert("storage-class".into(), String::new());
        assert!(relation.notes().is_empty());
    }

    #[test]
    fn answer_that_is_written_is_not_written_again() {
        let relation = relation(&[("data", "{}")]);
        let model = State::new("synapse/0")
            .with_leader(true)
            .with_relation(FakeRelation::new("backup", 7, "s3-integrator"));
        let juju = |model: State| Juju::new(Box::new(FakeJuju::new(model)));
        let answer = relation.answer("synapse", &juju(model)).unwrap().unwrap();
        assert_eq!(
            (answer.key, answer.value.as_str()),
            ("bucket", "relation-7")
        );

        let mut written = FakeRelation::new("backup", 7, "s3-integrator");
        written.app_data = [("bucket".to_owned(), "relation-7".to_owned())].into();
        let model = State::new("synapse/0")
            .with_leader(true)
            .with_relation(written);
        assert_eq!(relation.answer("synapse", &juju(model)).unwrap(), None);
    }

    #[test]
    fn two_relations_are_refused() {
        assert!(
            fault(Relation {
                others: 1,
                ..complete()
            })
            .contains("2 relations")
        );
    }
}
