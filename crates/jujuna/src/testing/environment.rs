//! The variables that Juju sets for an event.

use crate::{Event, PebbleEventKind, RelationEvent, SecretEvent, SecretEventKind, UnitName};

/// Returns the variables by which Juju tells a unit of an event, such as [`Context::from_vars`](crate::Context::from_vars)
/// takes them.
///
/// # Example
///
/// ```
/// use jujuna::testing::variables;
/// use jujuna::{Context, Event, UnitName};
///
/// let event = Event::pebble_ready("web");
/// let context = Context::from_vars(variables(&event, &UnitName::new("hello", 0), "3.6.11"))?;
/// assert_eq!(context.event, event);
/// # Ok::<(), jujuna::Error>(())
/// ```
pub fn variables(event: &Event, unit: &UnitName, juju_version: &str) -> Vec<(String, String)> {
    let folder = match event {
        Event::Action(_) => "actions",
        _ => "hooks",
    };
    let mut variables = vec![
        ("JUJU_DISPATCH_PATH", format!("{folder}/{event}")),
        ("JUJU_UNIT_NAME", unit.to_string()),
        ("JUJU_MODEL_NAME", "test".to_owned()),
        ("JUJU_MODEL_UUID", super::MODEL_UUID.to_owned()),
        ("JUJU_VERSION", juju_version.to_owned()),
        ("JUJU_CHARM_DIR", "/var/lib/juju/charm".to_owned()),
        ("JUJU_MACHINE_ID", String::new()),
    ];
    match event {
        Event::Relation(event) => relation(event, &mut variables),
        Event::Storage(event) => {
            variables.push(("JUJU_STORAGE_ID", event.id.to_string()));
            let location = event.location.iter();
            variables
                .extend(location.map(|at| ("JUJU_STORAGE_LOCATION", at.display().to_string())));
        }
        Event::Secret(event) => secret(event, &mut variables),
        Event::Pebble(event) => {
            variables.push(("JUJU_WORKLOAD_NAME", event.container.clone()));
            match &event.kind {
                PebbleEventKind::Ready => {}
                PebbleEventKind::CustomNotice { id, key } => {
                    variables.push(("JUJU_NOTICE_ID", id.clone()));
                    variables.push(("JUJU_NOTICE_TYPE", "custom".to_owned()));
                    variables.push(("JUJU_NOTICE_KEY", key.clone()));
                }
                PebbleEventKind::CheckFailed { check }
                | PebbleEventKind::CheckRecovered { check } => {
                    variables.push(("JUJU_PEBBLE_CHECK_NAME", check.clone()));
                }
            }
        }
        Event::Action(event) => {
            variables.push(("JUJU_ACTION_NAME", event.name.clone()));
            variables.push(("JUJU_ACTION_UUID", event.id.clone()));
            variables.push(("JUJU_ACTION_TAG", format!("action-{}", event.id)));
        }
        _ => {}
    }
    let variables = variables.into_iter();
    variables
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn relation(event: &RelationEvent, variables: &mut Vec<(&'static str, String)>) {
    let unit = |unit: &Option<UnitName>| unit.as_ref().map(ToString::to_string).unwrap_or_default();
    variables.push(("JUJU_RELATION", event.endpoint.clone()));
    variables.push(("JUJU_RELATION_ID", event.id.to_string()));
    let app = event.remote_app.clone().unwrap_or_default();
    variables.push(("JUJU_REMOTE_APP", app));
    variables.push(("JUJU_REMOTE_UNIT", unit(&event.remote_unit)));
    variables.push(("JUJU_DEPARTING_UNIT", unit(&event.departing_unit)));
}

fn secret(event: &SecretEvent, variables: &mut Vec<(&'static str, String)>) {
    let id = match event.kind {
        SecretEventKind::Expired => event.id.id().to_owned(),
        _ => event.id.to_string(),
    };
    variables.push(("JUJU_SECRET_ID", id));
    let label = event.label.clone().unwrap_or_default();
    variables.push(("JUJU_SECRET_LABEL", label));
    let revision = event.revision.iter();
    variables.extend(revision.map(|revision| ("JUJU_SECRET_REVISION", revision.to_string())));
}
