//! Tables of what is decided. They use values only.

mod actions;
mod reconcile;
mod restore;
mod status;

use std::time::Duration;

use jiff::Timestamp;
use jujuna::UnitName;
use pebble_client::ServiceStatus;

use super::decide;
use crate::backup::catalog::BackupId;
use crate::backup::restore::RestoreId;
use crate::backup::{Passphrase, RawS3Parameters, S3Parameters};
use crate::event::Route;
use crate::plan::{Level, Plan, Step};
use crate::state::{
    BackupSettings, Busy, KnownIdentity, Memory, PassphraseSetting, Ready, Service, ShownVersion,
    State, Store, Volume, Workload,
};
use crate::synapse::homeserver_yaml::{Settings, render};
use crate::synapse::identity::Identity;
use crate::synapse::layer::{CurrentPlan, Layer, RunAs};
use crate::synapse::names;

const NAME: &str = "a.example";

fn settings() -> Settings {
    Settings {
        server_name: NAME.into(),
        public_baseurl: None,
        report_stats: false,
    }
}

fn now() -> Timestamp {
    "2026-11-23T07:00:00Z".parse().unwrap()
}

/// A main unit on its first day: an empty volume, nothing known.
fn new_server() -> State {
    state(Workload::Ready(Box::new(Ready {
        volume: Volume {
            owner: Some(0),
            ..Volume::default()
        },
        known: KnownIdentity {
            fresh: Some(Identity::generate().unwrap()),
            leads: true,
            ..KnownIdentity::default()
        },
        plan: CurrentPlan::default(),
        service: Service::default(),
        run_as: RunAs::Synapse,
        healthy: false,
        waker: false,
        restores: Vec::new(),
    })))
}

/// A main unit on which all is as it should be.
fn running_server() -> State {
    use secrecy::ExposeSecret as _;
    let identity = Identity::generate().unwrap();
    let rendered = render(&settings(), &identity).unwrap();
    let layer = Layer::new(&rendered.digest, RunAs::Synapse)
        .to_yaml()
        .unwrap();
    let size = |text: &str| u64::try_from(text.len()).unwrap();
    let ready = Ready {
        volume: Volume {
            owner: Some(names::UID),
            has_database: true,
            identity: identity.parts().map(|part| Some(part.clone())),
            server_names: vec![NAME.into()],
            sizes: [
                (
                    names::HOMESERVER_YAML.to_owned(),
                    size(rendered.homeserver_yaml.expose_secret()),
                ),
                (names::LOG_CONFIG.to_owned(), size(&rendered.log_config)),
            ]
            .into(),
            fault: None,
        },
        known: KnownIdentity::default(),
        plan: CurrentPlan::parse(&layer).unwrap(),
        service: Service {
            status: Some(ServiceStatus::Active),
            since: Some(now()),
        },
        run_as: RunAs::Synapse,
        healthy: true,
        waker: false,
        restores: Vec::new(),
    };
    let mut state = state(Workload::Ready(Box::new(ready)));
    state.memory = Memory {
        storage_attached: true,
        identity_copy: Some(identity.digest(NAME)),
        version: Some(ShownVersion {
            version: "1".into(),
            since: Some(now()),
        }),
        store: None,
        existed: Some(NAME.into()),
        replanned: Some(rendered.digest),
        setback: None,
        backup_failure: None,
    };
    state
}

fn state(workload: Workload) -> State {
    State {
        unit: UnitName::new("synapse", 0),
        now: now(),
        homeserver: Ok(settings()),
        backup: BackupSettings {
            max_duration: Ok(Duration::from_hours(12)),
            ..BackupSettings::default()
        },
        answer: None,
        obsolete: None,
        storage_attached: true,
        memory: Memory::default(),
        workload,
        request: None,
        fresh_backup_id: Some(BackupId::new(now(), 1)),
        fresh_restore_id: Some(RestoreId::new(now(), 1)),
        planned_units: Some(1),
    }
}

fn parameters() -> S3Parameters {
    S3Parameters::new(RawS3Parameters {
        access_key: Some("AK".into()),
        secret_key: Some("SK".into()),
        bucket: Some("backups".into()),
        endpoint: Some("http://127.0.0.1:8333".into()),
        ..RawS3Parameters::default()
    })
    .unwrap()
}

/// Sets backups up, with a store that was not asked yet.
fn with_backups(mut state: State) -> State {
    state.backup.store = Store::Ready(Box::new(parameters()));
    state.backup.passphrase = PassphraseSetting::Set(Passphrase::new(&"pw".into()).unwrap());
    state
}

fn ready(state: &mut State) -> &mut Ready {
    match &mut state.workload {
        Workload::Ready(ready) => ready,
        other => panic!("{other:?}"),
    }
}

fn reconcile(state: &State) -> Plan {
    decide(&Route::Reconcile, state).unwrap()
}

/// The steps in short, to compare.
fn steps(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| match step {
            Step::PushFile(file) => format!("push {}", file.path),
            Step::AnswerProvider(answer) => format!("answer {}", answer.key),
            other => {
                let text = format!("{other:?}");
                text.split(['(', ' ', '{'])
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            }
        })
        .collect()
}

fn texts(plan: &Plan, level: Level) -> Vec<&str> {
    let conditions = plan
        .conditions
        .iter()
        .filter(|condition| condition.level == level);
    conditions
        .map(|condition| condition.text.as_str())
        .collect()
}
