//! The event of a dispatch, from its environment.

use std::path::PathBuf;
use std::str::FromStr;

use super::{
    ActionEvent, Event, PebbleEvent, PebbleEventKind, RelationEvent, RelationEventKind,
    SecretEvent, SecretEventKind, StorageEvent, StorageEventKind,
};
use crate::context::Variables;
use crate::{Error, ErrorKind};

/// Reads which event the variables tell of.
///
/// The last part of `JUJU_DISPATCH_PATH` is the hook's or action's name; what it is about stands in variables of its own.
pub(crate) fn event(variables: &Variables) -> Result<Event, Error> {
    let path = variables.required("JUJU_DISPATCH_PATH")?;
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match folder {
        "hooks" => hook(name, variables),
        "actions" => Ok(Event::Action(ActionEvent {
            name: name.to_owned(),
            id: variables.required("JUJU_ACTION_UUID")?.to_owned(),
        })),
        _ => Err(Error::new(
            ErrorKind::Protocol,
            format!("cannot tell the event from JUJU_DISPATCH_PATH {path:?}"),
        )),
    }
}

fn hook(name: &str, variables: &Variables) -> Result<Event, Error> {
    let plain = match name {
        "install" => Event::Install,
        "start" => Event::Start,
        "stop" => Event::Stop,
        "remove" => Event::Remove,
        "config-changed" => Event::ConfigChanged,
        "update-status" => Event::UpdateStatus,
        "upgrade-charm" => Event::UpgradeCharm,
        "leader-elected" => Event::LeaderElected,
        "leader-settings-changed" => Event::LeaderSettingsChanged,
        _ => return subject_hook(name, variables),
    };
    Ok(plain)
}

/// Reads a hook that is about something. The subject comes from its variable, never from the hook's name: an
/// endpoint may well be called `a-relation-changed`.
fn subject_hook(name: &str, variables: &Variables) -> Result<Event, Error> {
    if let Some(kind) = secret_kind(name) {
        return secret(kind, variables);
    }
    if let Some(endpoint) = variables.get("JUJU_RELATION")
        && let Some(kind) = strip(name, endpoint, "-relation-").and_then(relation_kind)
    {
        return relation(endpoint, kind, variables);
    }
    if let Some(text) = variables.get("JUJU_STORAGE_ID")
        && let Some(kind) = storage_kind(name)
    {
        let location = variables.get("JUJU_STORAGE_LOCATION").map(PathBuf::from);
        let id = text.parse()?;
        return Ok(Event::Storage(StorageEvent { id, kind, location }));
    }
    if let Some(container) = variables.get("JUJU_WORKLOAD_NAME")
        && let Some(what) = strip(name, container, "-pebble-")
    {
        return pebble(container, what, name, variables);
    }
    Ok(Event::Unknown(name.to_owned()))
}

fn strip<'a>(name: &'a str, subject: &str, infix: &str) -> Option<&'a str> {
    name.strip_prefix(subject)?.strip_prefix(infix)
}

fn relation_kind(word: &str) -> Option<RelationEventKind> {
    Some(match word {
        "created" => RelationEventKind::Created,
        "joined" => RelationEventKind::Joined,
        "changed" => RelationEventKind::Changed,
        "departed" => RelationEventKind::Departed,
        "broken" => RelationEventKind::Broken,
        _ => return None,
    })
}

fn storage_kind(name: &str) -> Option<StorageEventKind> {
    if name.ends_with("-storage-attached") {
        Some(StorageEventKind::Attached)
    } else if name.ends_with("-storage-detaching") {
        Some(StorageEventKind::Detaching)
    } else {
        None
    }
}

fn secret_kind(name: &str) -> Option<SecretEventKind> {
    Some(match name {
        "secret-changed" => SecretEventKind::Changed,
        "secret-rotate" => SecretEventKind::Rotate,
        "secret-expired" => SecretEventKind::Expired,
        "secret-remove" => SecretEventKind::Remove,
        _ => return None,
    })
}

fn relation(
    endpoint: &str,
    kind: RelationEventKind,
    variables: &Variables,
) -> Result<Event, Error> {
    Ok(Event::Relation(RelationEvent {
        endpoint: endpoint.to_owned(),
        id: parsed(variables.required("JUJU_RELATION_ID")?)?,
        kind,
        remote_app: variables.get("JUJU_REMOTE_APP").map(str::to_owned),
        remote_unit: variables.get("JUJU_REMOTE_UNIT").map(parsed).transpose()?,
        departing_unit: variables
            .get("JUJU_DEPARTING_UNIT")
            .map(parsed)
            .transpose()?,
    }))
}

fn secret(kind: SecretEventKind, variables: &Variables) -> Result<Event, Error> {
    let revision = variables.get("JUJU_SECRET_REVISION");
    Ok(Event::Secret(SecretEvent {
        id: parsed(variables.required("JUJU_SECRET_ID")?)?,
        kind,
        label: variables.get("JUJU_SECRET_LABEL").map(str::to_owned),
        revision: revision
            .map(|text| {
                text.parse()
                    .map_err(|_| crate::names::unreadable("secret revision", text))
            })
            .transpose()?,
    }))
}

fn pebble(container: &str, what: &str, name: &str, variables: &Variables) -> Result<Event, Error> {
    let check = || {
        variables
            .required("JUJU_PEBBLE_CHECK_NAME")
            .map(str::to_owned)
    };
    let kind = match what {
        "ready" => PebbleEventKind::Ready,
        "custom-notice" => PebbleEventKind::CustomNotice {
            id: variables.required("JUJU_NOTICE_ID")?.to_owned(),
            key: variables.required("JUJU_NOTICE_KEY")?.to_owned(),
        },
        "check-failed" => PebbleEventKind::CheckFailed { check: check()? },
        "check-recovered" => PebbleEventKind::CheckRecovered { check: check()? },
        _ => return Ok(Event::Unknown(name.to_owned())),
    };
    Ok(Event::Pebble(PebbleEvent {
        container: container.to_owned(),
        kind,
    }))
}

fn parsed<T: FromStr<Err = Error>>(text: &str) -> Result<T, Error> {
    text.parse()
}
