//! A secret of the model in memory.

use std::collections::{BTreeMap, BTreeSet};

/// Whose a secret is.
///
/// [`Secret`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This unit's.
    Unit,
    /// This application's.
    Application,
    /// Somebody else's, such as the operator's.
    Other,
}

/// A secret with its revisions.
///
/// # Example
///
/// ```
/// use jujuna::testing::{Owner, Secret};
///
/// let own = Secret::owned(Owner::Unit, "9m4e2mr0ui3e8a215n4g", "login", [("password", "old")])
///     .with_revision([("password", "new")]);
/// assert_eq!((own.latest_revision(), own.latest()["password"].as_str()), (2, "new"));
/// let other = Secret::granted("9m4e2mr0ui3e8a215n4h", [("password", "x")]).not_granted();
/// assert!(!other.granted);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The bare id.
    pub id: String,
    /// The owner's label, or this unit's; may be empty.
    pub label: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether this application may read it, if it is somebody else's.
    pub granted: bool,
    /// The fields, by revision.
    pub revisions: BTreeMap<u64, BTreeMap<String, String>>,
    /// The revision that this unit reads, once it has read one.
    pub tracked: Option<u64>,
    /// Who else may read it, in Juju's tags, such as `application-web`.
    pub grants: BTreeSet<String>,
    /// The description; may be empty.
    pub description: String,
    /// How often it shall be rotated, in Juju's word; empty for never.
    pub rotation: String,
    /// What was said about its expiry; may be empty.
    pub expire: String,
}

impl Secret {
    /// A secret of somebody else, granted to this application.
    ///
    /// [`Secret`] has an example.
    pub fn granted<const N: usize>(id: &str, fields: [(&str, &str); N]) -> Self {
        Self {
            id: id.to_owned(),
            label: String::new(),
            owner: Owner::Other,
            granted: true,
            revisions: BTreeMap::from([(1, owned(fields))]),
            tracked: None,
            grants: BTreeSet::new(),
            description: String::new(),
            rotation: String::new(),
            expire: String::new(),
        }
    }

    /// A secret of this unit or application.
    ///
    /// [`Secret`] has an example.
    pub fn owned<const N: usize>(
        owner: Owner,
        id: &str,
        label: &str,
        fields: [(&str, &str); N],
    ) -> Self {
        Self {
            label: label.to_owned(),
            owner,
            granted: false,
            ..Self::granted(id, fields)
        }
    }

    /// Adds a revision.
    ///
    /// [`Secret`] has an example.
    #[must_use]
    pub fn with_revision<const N: usize>(mut self, fields: [(&str, &str); N]) -> Self {
        self.revisions
            .insert(self.latest_revision() + 1, owned(fields));
        self
    }

    /// Takes the grant away.
    ///
    /// [`Secret`] has an example.
    #[must_use]
    pub fn not_granted(mut self) -> Self {
        self.granted = false;
        self
    }

    /// Returns the number of the latest revision.
    ///
    /// [`Secret`] has an example.
    pub fn latest_revision(&self) -> u64 {
        self.revisions.keys().next_back().copied().unwrap_or(0)
    }

    /// Returns the fields of the latest revision.
    ///
    /// [`Secret`] has an example.
    pub fn latest(&self) -> BTreeMap<String, String> {
        self.revisions
            .values()
            .next_back()
            .cloned()
            .unwrap_or_default()
    }
}

fn owned<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
