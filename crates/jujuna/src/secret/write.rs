//! `secret-add`, `-set`, `-grant`, `-revoke`, `-remove`: what is, and what shall be.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::{Revision, SecretContent, SecretInfo, SecretOwner, SecretSpec, SecretUri};
use crate::hook_tools::{SecretFile, document};
use crate::{Error, ErrorKind, HookCommand, Juju, RelationId, SecretEvent, SecretEventKind};

/// A buffered change to secrets.
pub(crate) enum SecretWrite {
    Ensure {
        owner: &'static str,
        spec: SecretSpec,
    },
    Remove {
        uri: SecretUri,
        revision: Option<u64>,
    },
    /// Remove a revision, if the secret is still there and this unit's to manage.
    Prune {
        uri: SecretUri,
        revision: u64,
    },
    Revoke {
        label: String,
        relation: RelationId,
    },
}

impl Juju {
    /// Buffers that a secret of this label exists and has this content, no more and no less.
    ///
    /// It is added when there is none, and gets a new revision when its latest differs. [`SecretSpec::new`] says what
    /// keys and values may be; [`secret_declare`](Juju::secret_declare) takes more than content.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, SecretOwner, testing::{FakeJuju, State}};
    /// # use std::collections::BTreeMap;
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// let content = BTreeMap::from([("signing-key".to_owned(), "ed25519 a_1 x".into())]);
    /// juju.secret_ensure(SecretOwner::Unit, "identity", content);
    /// juju.flush()?;
    /// fake.end(0);
    /// assert_eq!(fake.state().secret("identity").unwrap().latest()["signing-key"], "ed25519 a_1 x");
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn secret_ensure(
        &mut self,
        owner: SecretOwner<'_>,
        label: impl Into<String>,
        content: BTreeMap<String, SecretString>,
    ) {
        self.secret_declare(owner, SecretSpec::new(label, content));
    }

    /// Buffers that there is such a secret: added, given a new revision, changed, granted, or left as it is.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, SecretOwner, SecretSpec, testing::{FakeJuju, Relation, State}};
    /// let state = State::new("pg/0").with_leader(true).with_relation(Relation::new("db", 1, "web"));
    /// let fake = FakeJuju::new(state);
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// let relation = RelationId::new("db", 1);
    /// let leader = juju.leader()?.expect("leads");
    /// let spec = SecretSpec::new("login", [("password", "hunter22")]).grant_to(&relation);
    /// juju.secret_declare(SecretOwner::Application(&leader), spec);
    /// let uri = juju.secret_uri("login")?;
    /// juju.relation_set_app(&leader, &relation, [("login".to_owned(), uri.to_string())].into());
    /// juju.flush()?;
    /// fake.end(0);
    /// assert!(fake.state().secret("login").unwrap().grants.contains("application-web"));
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn secret_declare(&mut self, owner: SecretOwner<'_>, spec: SecretSpec) {
        let owner = owner.word();
        self.writes
            .secrets
            .push(SecretWrite::Ensure { owner, spec });
    }

    /// Returns the URI of an owned secret by its label, handing over first what is buffered for that label: Juju gives the
    /// URI of a new secret out only then. It still keeps the secret only if the dispatch succeeds.
    ///
    /// Juju names the model in the URI of a new secret and not later. Here, where the model is known
    /// ([`Juju::for_context`]), it is always named, as who reads the secret from another model needs it.
    ///
    /// [`secret_declare`](Juju::secret_declare) has an example.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::NotFound`] when there is no such secret, or it is not this unit's to manage.
    pub fn secret_uri(&mut self, label: &str) -> Result<SecretUri, Error> {
        let (now, later) = std::mem::take(&mut self.writes.secrets)
            .into_iter()
            .partition(
                |write| matches!(write, SecretWrite::Ensure { spec, .. } if spec.label == label),
            );
        self.writes.secrets = later;
        let now: Vec<SecretWrite> = now;
        self.all_or_nothing(|juju| now.iter().try_for_each(|write| juju.write_secret(write)))?;
        let uri = self.known_secret_info(label)?.uri;
        Ok(uri.in_model(self.model_uuid.as_deref()))
    }

    /// Buffers that the application at the other end of a relation may no longer read an owned secret.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, RelationId, SecretOwner, testing::{FakeJuju, Owner, Relation, Secret, State}};
    /// let secret = Secret::owned(Owner::Unit, "9m4e2mr0ui3e8a215n4g", "login", [("password", "x")]);
    /// let state = State::new("pg/0").with_secret(secret).with_relation(Relation::new("db", 1, "web"));
    /// let fake = FakeJuju::new(state);
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.secret_revoke(SecretOwner::Unit, "login", &RelationId::new("db", 1));
    /// juju.flush()?;
    /// assert_eq!(fake.call_names(), ["secret-info-get", "secret-revoke"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn secret_revoke(
        &mut self,
        _owner: SecretOwner<'_>,
        label: impl Into<String>,
        relation: &RelationId,
    ) {
        self.writes.secrets.push(SecretWrite::Revoke {
            label: label.into(),
            relation: relation.clone(),
        });
    }

    /// Buffers that a revision of an owned secret is removed, or with `None` the whole secret.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, SecretOwner, testing::{FakeJuju, Owner, Secret, State}};
    /// # let secret = Secret::owned(Owner::Unit, "9m4e2mr0ui3e8a215n4g", "login", [("password", "x")]);
    /// # let fake = FakeJuju::new(State::new("pg/0").with_secret(secret));
    /// # let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.secret_remove(SecretOwner::Unit, "9m4e2mr0ui3e8a215n4g".parse()?, None);
    /// juju.flush()?;
    /// fake.end(0);
    /// assert!(fake.state().secrets.is_empty());
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn secret_remove(
        &mut self,
        _owner: SecretOwner<'_>,
        uri: SecretUri,
        revision: Option<u64>,
    ) {
        self.writes
            .secrets
            .push(SecretWrite::Remove { uri, revision });
    }

    /// Buffers what Juju asks for by the hook secret-remove: that a revision goes that nobody reads any more. Without it
    /// revisions pile up. Any other event of a secret changes nothing.
    ///
    /// Juju fires the hook again for revisions that are gone with their secret, and would fail the hook if they were removed
    /// once more; so the secret is looked for first. [`run`](crate::run) does all this by itself.
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, SecretEvent, SecretEventKind, testing::{FakeJuju, Owner, Secret, State}};
    /// let secret = Secret::owned(Owner::Unit, "9m4e2mr0ui3e8a215n4g", "login", [("password", "old")])
    ///     .with_revision([("password", "new")]);
    /// let fake = FakeJuju::new(State::new("pg/0").with_secret(secret));
    /// let mut juju = Juju::new(Box::new(fake.clone()));
    /// juju.secret_prune(&SecretEvent {
    ///     id: "9m4e2mr0ui3e8a215n4g".parse()?,
    ///     kind: SecretEventKind::Remove,
    ///     label: None,
    ///     revision: Some(1),
    /// });
    /// juju.flush()?;
    /// fake.end(0);
    /// assert_eq!(fake.state().secret("login").unwrap().revisions.len(), 1);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
    pub fn secret_prune(&mut self, event: &SecretEvent) {
        if let (SecretEventKind::Remove, Some(revision)) = (event.kind, event.revision) {
            let uri = event.id.clone();
            self.writes
                .secrets
                .push(SecretWrite::Prune { uri, revision });
        }
    }

    pub(crate) fn write_secret(&self, write: &SecretWrite) -> Result<(), Error> {
        match write {
            SecretWrite::Ensure { owner, spec } => self.ensure(owner, spec),
            SecretWrite::Remove { uri, revision } => self.remove(uri, *revision),
            SecretWrite::Prune { uri, revision } => match self.secret_info_get(uri) {
                Ok(_) => self.remove(uri, Some(*revision)),
                Err(error) if error.is_not_found() || error.is_permission_denied() => Ok(()),
                Err(error) => Err(error),
            },
            SecretWrite::Revoke { label, relation } => {
                let uri = self.known_secret_info(label)?.uri;
                self.share(&uri, relation, false)?;
                let relation = relation.clone();
                self.undo_later(move |juju| juju.share(&uri, &relation, true));
                Ok(())
            }
        }
    }

    fn remove(&self, uri: &SecretUri, revision: Option<u64>) -> Result<(), Error> {
        let revision = revision.map(|revision| ["--revision".to_owned(), revision.to_string()]);
        let command = HookCommand::new("secret-remove")
            .arg(uri.to_string())
            .args(revision.into_iter().flatten());
        self.run(&command, &|| format!("remove secret {uri}"))
            .map(drop)
    }

    fn share(&self, uri: &SecretUri, relation: &RelationId, grant: bool) -> Result<(), Error> {
        let (name, word) = if grant {
            ("secret-grant", "grant")
        } else {
            ("secret-revoke", "revoke")
        };
        let command = HookCommand::new(name)
            .arg(uri.to_string())
            .args(["-r".to_owned(), relation.to_string()]);
        self.run(&command, &|| {
            format!("{word} secret {uri} to relation {relation}")
        })
        .map(drop)
    }

    /// Returns what Juju knows of an owned secret, asking once.
    fn known_secret_info(&self, label: &str) -> Result<SecretInfo, Error> {
        if let Some(info) = self.cache.borrow().secret_infos.get(label) {
            return Ok(info.clone());
        }
        let info = self.secret_info_get_by_label(label)?;
        let mut cache = self.cache.borrow_mut();
        cache.secret_infos.insert(label.to_owned(), info.clone());
        Ok(info)
    }

    fn ensure(&self, owner: &str, spec: &SecretSpec) -> Result<(), Error> {
        spec.check()?;
        match self.latest_content(&spec.label)? {
            None => self.add(owner, spec)?,
            Some(latest) => self.change(spec, &latest)?,
        }
        for relation in &spec.grants {
            self.grant(spec, relation)?;
        }
        Ok(())
    }

    fn latest_content(&self, label: &str) -> Result<Option<SecretContent>, Error> {
        if let Some(latest) = self.cache.borrow().owned_secrets.get(label) {
            return Ok(latest.clone());
        }
        // Refresh, as the owner's own tracking keeps an old revision from being pruned.
        match self.secret_get_by_label(label, Revision::Refresh) {
            Ok(latest) => Ok(Some(latest)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn add(&self, owner: &str, spec: &SecretSpec) -> Result<(), Error> {
        let command = HookCommand::new("secret-add")
            .args(["--label", &spec.label, "--owner", owner])
            .args(attributes(spec, None));
        let output = self.run(
            &command.secret_file(file(spec, &spec.content)?),
            &purpose(spec),
        )?;
        let uri: SecretUri = String::from_utf8_lossy(&output.stdout).trim().parse()?;
        let info = SecretInfo {
            uri: uri.clone(),
            revision: 1,
            label: spec.label.clone(),
            owner: owner.to_owned(),
            description: spec.description.clone().unwrap_or_default(),
            rotation: spec
                .rotate
                .map_or_else(String::new, |rotate| rotate.to_string()),
            expiry: String::new(),
            access: Vec::new(),
        };
        let mut cache = self.cache.borrow_mut();
        cache.secret_infos.insert(spec.label.clone(), info);
        cache
            .owned_secrets
            .insert(spec.label.clone(), Some(spec.content.clone()));
        drop(cache);
        let label = spec.label.clone();
        self.undo_later(move |juju| {
            let mut cache = juju.cache.borrow_mut();
            cache.secret_infos.remove(&label);
            cache.owned_secrets.insert(label, None);
            drop(cache);
            juju.remove(&uri, None)
        });
        Ok(())
    }

    fn change(&self, spec: &SecretSpec, latest: &SecretContent) -> Result<(), Error> {
        let is_new = !is_same(latest, &spec.content);
        let has_attributes = spec.description.is_some() || spec.rotate.is_some();
        if !is_new && !has_attributes {
            return Ok(());
        }
        let info = self.known_secret_info(&spec.label)?;
        let mut flags = attributes(spec, Some(&info));
        if !is_new {
            if flags.is_empty() {
                return Ok(());
            }
        } else if let Some(expire) = spec.expire_after {
            flags.extend(["--expire".to_owned(), format!("{}s", expire.as_secs())]);
        }
        self.set(spec, &info.uri, flags, is_new.then_some(&spec.content))?;
        let (label, uri) = (spec.label.clone(), info.uri.clone());
        let before = SecretSpec {
            content: latest.clone(),
            description: spec.description.as_ref().map(|_| info.description.clone()),
            ..spec.clone()
        };
        self.undo_later(move |juju| {
            let flags = rotation_and_description(&before, &info);
            juju.cache.borrow_mut().secret_infos.remove(&label);
            juju.set(&before, &uri, flags, is_new.then_some(&before.content))
        });
        Ok(())
    }

    fn set(
        &self,
        spec: &SecretSpec,
        uri: &SecretUri,
        flags: Vec<String>,
        content: Option<&SecretContent>,
    ) -> Result<(), Error> {
        let mut command = HookCommand::new("secret-set")
            .arg(uri.to_string())
            .args(flags);
        if let Some(content) = content {
            command = command.secret_file(file(spec, content)?);
        }
        self.run(&command, &purpose(spec))?;
        let mut cache = self.cache.borrow_mut();
        if let Some(content) = content {
            cache
                .owned_secrets
                .insert(spec.label.clone(), Some(content.clone()));
        }
        if let Some(info) = cache.secret_infos.get_mut(&spec.label) {
            if let Some(text) = &spec.description {
                info.description.clone_from(text);
            }
            if let Some(rotate) = spec.rotate {
                info.rotation = rotate.to_string();
            }
        }
        Ok(())
    }

    fn grant(&self, spec: &SecretSpec, relation: &RelationId) -> Result<(), Error> {
        let info = self.known_secret_info(&spec.label)?;
        let remote = self.relation_app(relation)?.unwrap_or_default();
        let target = format!("application-{remote}");
        // The scope names the relation by its endpoints: `relation-pg.db#web.database`.
        let endpoint = format!(".{}", relation.endpoint());
        let is_granted = info.access.iter().any(|access| {
            access.target == target && access.scope.split('#').any(|end| end.ends_with(&endpoint))
        });
        if is_granted {
            return Ok(());
        }
        self.share(&info.uri, relation, true)?;
        let relation = relation.clone();
        self.undo_later(move |juju| juju.share(&info.uri, &relation, false));
        Ok(())
    }
}

fn purpose(spec: &SecretSpec) -> impl Fn() -> String {
    let label = spec.label.clone();
    move || format!("write the secret labelled {label:?}")
}

fn file(spec: &SecretSpec, content: &SecretContent) -> Result<SecretFile, Error> {
    let texts = content
        .iter()
        .map(|(key, value)| (key.as_str(), value.expose_secret()));
    SecretFile::new(&document(texts)).map_err(|error| {
        let text = format!("cannot {}", purpose(spec)());
        Error::with_source(ErrorKind::Io, text, error)
    })
}

/// Returns the options of secret-add and secret-set for what is not so yet.
fn attributes(spec: &SecretSpec, info: Option<&SecretInfo>) -> Vec<String> {
    let mut flags = Vec::new();
    if let Some(text) = &spec.description
        && info.is_none_or(|info| info.description != *text)
    {
        flags.extend(["--description".to_owned(), text.clone()]);
    }
    if let Some(rotate) = spec.rotate {
        let word = rotate.word();
        // Juju does not show that a secret is never rotated.
        let shown = |info: &SecretInfo| match info.rotation.as_str() {
            "" => "never".to_owned(),
            rotation => rotation.to_owned(),
        };
        if info.is_none_or(|info| shown(info) != word) {
            flags.extend(["--rotate".to_owned(), word.to_owned()]);
        }
    }
    if info.is_none()
        && let Some(expire) = spec.expire_after
    {
        flags.extend(["--expire".to_owned(), format!("{}s", expire.as_secs())]);
    }
    flags
}

/// Returns the options that put back what `info` tells, as far as `spec` would change it.
fn rotation_and_description(spec: &SecretSpec, info: &SecretInfo) -> Vec<String> {
    let mut flags = Vec::new();
    if spec.description.is_some() {
        flags.extend(["--description".to_owned(), info.description.clone()]);
    }
    if spec.rotate.is_some() {
        let rotation = match info.rotation.as_str() {
            "" => "never",
            rotation => rotation,
        };
        flags.extend(["--rotate".to_owned(), rotation.to_owned()]);
    }
    flags
}

fn is_same(one: &SecretContent, other: &SecretContent) -> bool {
    one.len() == other.len()
        && one.iter().all(|(key, value)| {
            other
                .get(key)
                .is_some_and(|other| other.expose_secret() == value.expose_secret())
        })
}
