//! `secret-add`, `secret-set`.

use super::arguments::{Arguments, Takes};
use super::{Call, CommandError, Options, Output, os_reason, text_map};
use crate::context::Update;
use crate::model::id;
use crate::model::secret::{Attributes, Content, Owner, Secret, is_key, parse_uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;

const ATTRIBUTES: Options = &[
    (&["label"], Takes::Value),
    (&["description"], Takes::Value),
    (&["rotate"], Takes::Value),
    (&["expire"], Takes::Value),
    (&["owner"], Takes::Value),
    (&["file"], Takes::Value),
];
const ROTATIONS: [&str; 7] = [
    "never",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
];

pub(super) fn add(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(ATTRIBUTES)?;
    let attributes = attributes(&arguments)?;
    let content = content(call, &arguments, &arguments.words)?;
    if content.is_empty() {
        return Err(CommandError::usage("missing secret value or filename"));
    }
    let unit = call.context.unit.clone();
    let owner = match arguments.option("owner") {
        None | Some("application") if !call.is_leader() => {
            return Err(CommandError::refused("this unit is not the leader"));
        }
        None | Some("application") => Owner::Application(unit.application),
        Some("unit") => Owner::Unit(unit),
        Some(other) => {
            return Err(CommandError::usage(format!(
                "secret owner {other:?} not valid"
            )));
        }
    };
    let id = id::secret();
    call.context.changes.secrets.created.insert(
        id.clone(),
        Secret::new(id.clone(), owner, attributes, content),
    );
    Ok(format!("secret://{}/{id}\n", call.model.uuid))
}

pub(super) fn set(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(ATTRIBUTES)?;
    let Some(uri) = arguments.word(0) else {
        return Err(CommandError::usage("missing secret URI"));
    };
    let id = secret_id(uri)?;
    let attributes = attributes(&arguments)?;
    let content = content(call, &arguments, &arguments.words[1..])?;
    let changes = &mut call.context.changes.secrets;
    if let Some(created) = changes.created.get_mut(&id) {
        created.change(&attributes, None);
        if !content.is_empty() {
            created.revisions.insert(1, content);
        }
        return Ok(String::new());
    }
    let Update {
        attributes: own,
        content: own_content,
    } = changes.updated.entry(id).or_default();
    for (own, said) in [
        (&mut own.label, attributes.label),
        (&mut own.description, attributes.description),
        (&mut own.rotate, attributes.rotate),
    ] {
        *own = said.or(own.take());
    }
    own.expire = attributes.expire.or(own.expire);
    if !content.is_empty() {
        *own_content = Some(content);
    }
    Ok(String::new())
}

/// The bare id of a URI; a usage error if it is none.
pub(super) fn secret_id(uri: &str) -> Result<String, CommandError> {
    parse_uri(uri).ok_or_else(|| CommandError::usage(format!("secret URI {uri:?} not valid")))
}

fn attributes(arguments: &Arguments) -> Result<Attributes, CommandError> {
    let text = |name: &str| arguments.option(name).map(str::to_owned);
    if let Some(other) = arguments
        .option("rotate")
        .filter(|policy| !ROTATIONS.contains(policy))
    {
        return Err(CommandError::usage(format!(
            "rotate policy {other:?} not valid"
        )));
    }
    let expire = match arguments.option("expire") {
        None => None,
        Some(when) => Some(expiry(when).ok_or_else(|| {
            CommandError::usage(format!("expire time or duration {when:?} not valid"))
        })?),
    };
    Ok(Attributes {
        label: text("label"),
        description: text("description"),
        rotate: text("rotate"),
        expire,
    })
}

fn expiry(when: &str) -> Option<Timestamp> {
    if let Ok(time) = when.parse::<Timestamp>() {
        return Some(time);
    }
    let duration: SignedDuration = when.parse().ok()?;
    Timestamp::now().checked_add(duration).ok()
}

fn content(
    call: &Call<'_>,
    arguments: &Arguments,
    words: &[String],
) -> Result<Content, CommandError> {
    let mut entries = Vec::new();
    if let Some(file) = arguments.option("file") {
        entries.extend(text_map(&agent_file(call, file)?)?);
    }
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(CommandError::usage(format!("key value {word:?} not valid")));
        };
        let (key, value) = match key.split_once('#') {
            Some((key, "base64")) => (key, decoded(key, value)?),
            Some((key, "file")) => (
                key,
                String::from_utf8_lossy(&agent_file(call, value)?).into_owned(),
            ),
            Some(_) => return Err(CommandError::usage(format!("key {key:?} not valid"))),
            None => (key, value.to_owned()),
        };
        entries.push((key.to_owned(), value));
    }
    for (key, value) in &entries {
        if !is_key(key) {
            return Err(CommandError::usage(format!("key {key:?} not valid")));
        }
        if value.is_empty() {
            return Err(CommandError::usage("empty secret value not valid"));
        }
    }
    Ok(entries.into_iter().collect())
}

fn decoded(key: &str, value: &str) -> Result<String, CommandError> {
    let bytes = BASE64
        .decode(value)
        .map_err(|_| CommandError::usage(format!("base64 value for key {key:?} not valid")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file that the agent opens, not the command: it has the charm's root, but neither its working directory nor its standard input.
fn agent_file(call: &Call<'_>, file: &str) -> Result<Vec<u8>, CommandError> {
    if file == "/dev/stdin" {
        return Err(CommandError::refused("empty secret value not valid"));
    }
    let path = Path::new(file);
    let missing = || CommandError::refused(format!("open {file}: no such file or directory"));
    if !path.is_absolute() {
        return Err(missing());
    }
    std::fs::read(call.inside(path))
        .map_err(|error| CommandError::refused(format!("open {file}: {}", os_reason(&error))))
}
