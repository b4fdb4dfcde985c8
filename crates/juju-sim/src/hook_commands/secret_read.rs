//! `secret-get`, `secret-ids`, `secret-info-get`.

use super::arguments::{Arguments, Takes};
use super::secret::secret_id;
use super::{Call, CommandError, Output};
use crate::model::secret::{Consumer, Content, Owner, Secret};
use crate::node::{Format, Node};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub(super) fn get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[
        (&["label"], Takes::Value),
        (&["peek"], Takes::Nothing),
        (&["refresh"], Takes::Nothing),
    ])?;
    let label = arguments.option("label").map(str::to_owned);
    let id = match arguments.word(0) {
        Some(uri) => Some((uri.to_owned(), secret_id(uri)?)),
        None if label.is_none() => {
            return Err(CommandError::usage("require either a secret URI or label"));
        }
        None => None,
    };
    let (peek, refresh) = (arguments.is_set("peek"), arguments.is_set("refresh"));
    if peek && refresh {
        return Err(CommandError::usage(
            "specify one of --peek or --refresh but not both",
        ));
    }
    arguments.at_most(2)?;
    let (shown, id) = match id {
        Some(found) => found,
        None => labelled(call, label.as_deref().unwrap_or_default()).map(|id| (id.clone(), id))?,
    };
    let content = read(call, &shown, &id, label, peek, refresh)?;
    match arguments.word(1) {
        None => call.print(&arguments, &Node::texts(&content)),
        Some(key) => call.print(&arguments, &Node::text(value(&content, key)?)),
    }
}

fn value(content: &Content, key: &str) -> Result<String, CommandError> {
    let (name, encode) = key
        .strip_suffix("#base64")
        .map_or((key, false), |name| (name, true));
    let value = content
        .get(name)
        .ok_or_else(|| CommandError::refused(format!("secret key value {name:?} not found")))?;
    Ok(if encode {
        BASE64.encode(value)
    } else {
        value.clone()
    })
}

/// The secret that an owner or this unit knows by a label.
fn labelled(call: &Call<'_>, label: &str) -> Result<String, CommandError> {
    let changes = &call.context.changes.secrets;
    let has = |secret: &&Secret| {
        changes
            .updated
            .get(&secret.id)
            .and_then(|update| update.attributes.label.as_deref())
            .or(secret.attributes.label.as_deref())
            == Some(label)
    };
    let unit = &call.context.unit;
    let mut owned = changes.created.values().chain(
        call.model
            .secrets
            .values()
            .filter(|secret| secret.is_owned_by(unit)),
    );
    let consumed = || {
        call.model.secrets.values().find(|secret| {
            secret
                .consumers
                .get(unit)
                .and_then(|consumer| consumer.label.as_deref())
                == Some(label)
        })
    };
    owned
        .find(has)
        .or_else(consumed)
        .map(|secret| secret.id.clone())
        .ok_or_else(|| CommandError::refused(format!("consumer label {label:?} not found")))
}

fn read(
    call: &mut Call<'_>,
    shown: &str,
    id: &str,
    label: Option<String>,
    peek: bool,
    refresh: bool,
) -> Result<Content, CommandError> {
    let changes = &mut call.context.changes.secrets;
    if let Some(created) = changes.created.get_mut(id) {
        if label.is_some() {
            created.attributes.label = label;
        }
        return Ok(created.revisions.get(&1).cloned().unwrap_or_default());
    }
    let unit = &call.context.unit;
    let Some(secret) = call.model.secrets.get_mut(id) else {
        return Err(CommandError::refused(format!("secret {shown:?} not found")));
    };
    if !secret.may_be_read_by(unit) {
        return Err(CommandError::refused("permission denied"));
    }
    let latest = secret.latest();
    let owned = secret.is_owned_by(unit);
    let consumer = secret
        .consumers
        .entry(unit.clone())
        .or_insert_with(|| Consumer {
            label: None,
            tracked: latest,
            told: latest,
        });
    if refresh {
        consumer.tracked = latest;
    }
    let tracked = consumer.tracked;
    if owned && label.is_some() {
        secret.attributes.label = label;
    } else if label.is_some() {
        consumer.label = label;
    }
    if let Some(pending) = changes
        .updated
        .get(id)
        .and_then(|update| update.content.clone())
        .filter(|_| owned)
    {
        return Ok(pending);
    }
    let revision = if peek { latest } else { tracked };
    secret.revisions.get(&revision).cloned().ok_or_else(|| {
        CommandError::refused(format!("secret revision \"{id}/{revision}\" not found"))
    })
}

/// The ids of the secrets that the unit manages: its own, and as leader its application's.
pub(super) fn ids(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[])?;
    arguments.at_most(0)?;
    let managed = call
        .model
        .secrets
        .values()
        .filter(|secret| is_managed(call, secret))
        .map(|secret| secret.id.clone());
    let mut ids: Vec<_> = managed
        .chain(call.context.changes.secrets.created.keys().cloned())
        .collect();
    ids.sort();
    if ids.is_empty() && arguments.format()? == Format::Json {
        return call.print(&arguments, &Node::Null);
    }
    call.print(&arguments, &Node::list(ids))
}

fn is_managed(call: &Call<'_>, secret: &Secret) -> bool {
    let unit = &call.context.unit;
    let removed = call
        .context
        .changes
        .secrets
        .removed
        .contains(&(secret.id.clone(), None));
    !removed
        && (secret.owner == Owner::Unit(unit.clone())
            || (secret.owner == Owner::Application(unit.application.clone()) && call.is_leader()))
}

pub(super) fn info_get(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[(&["label"], Takes::Value)])?;
    let id = wanted(call, &arguments)?;
    let pending = call.context.changes.secrets.created.get(&id);
    let known = call
        .model
        .secrets
        .get(&id)
        .filter(|secret| is_managed(call, secret));
    let Some(secret) = pending.or(known) else {
        return Err(CommandError::refused(format!("secret {id:?} not found")));
    };
    let mut secret = secret.clone();
    if let Some(update) = call.context.changes.secrets.updated.get(&id) {
        secret.change(&update.attributes, None);
    }
    let node = Node::map([(id, info(call, &secret))]);
    call.print(&arguments, &node)
}

fn wanted(call: &Call<'_>, arguments: &Arguments) -> Result<String, CommandError> {
    match (arguments.word(0), arguments.option("label")) {
        (Some(_), Some(_)) => Err(CommandError::usage(
            "specify either a secret URI or label but not both",
        )),
        (Some(uri), None) => secret_id(uri),
        (None, Some(label)) => labelled(call, label),
        (None, None) => Err(CommandError::usage("require either a secret URI or label")),
    }
}

fn info(call: &Call<'_>, secret: &Secret) -> Node {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let owner = match secret.owner {
        Owner::Unit(_) => "unit",
        _ => "application",
    };
    let mut entries = vec![
        ("revision", Node::Number(f64::from(secret.latest()))),
        ("label", Node::Text(text(&secret.attributes.label))),
        ("owner", Node::text(owner)),
    ];
    if let Some(description) = &secret.attributes.description {
        entries.push(("description", Node::text(description)));
    }
    if let Some(rotate) = secret
        .attributes
        .rotate
        .as_ref()
        .filter(|policy| *policy != "never")
    {
        entries.push(("rotation", Node::text(rotate)));
    }
    if let Some(expiry) = secret.expiries.get(&secret.latest()) {
        entries.push((
            "expiry",
            Node::Time(expiry.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ));
    }
    let grants: Vec<_> = secret
        .grants
        .iter()
        .map(|(reader, relation)| access(call, reader, *relation))
        .collect();
    if !grants.is_empty() {
        entries.push(("access", Node::List(grants)));
    }
    Node::map(entries)
}

/// Names as tags, with Juju's escapes.
fn access(call: &Call<'_>, reader: &str, relation: Option<u32>) -> Node {
    let target = if reader.contains('/') {
        format!("unit-{}", reader.replace('/', "-"))
    } else {
        format!("application-{reader}")
    };
    let key = relation
        .and_then(|id| call.model.relations.get(&id))
        .map(|relation| relation.key().replace(':', ".").replace(' ', "#"));
    let mut entries = vec![("target", Node::text(target))];
    if let Some(key) = key {
        entries.push(("scope", Node::text(format!("relation-{key}"))));
    }
    entries.push(("role", Node::text("view")));
    Node::map(entries)
}
