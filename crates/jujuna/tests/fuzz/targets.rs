//! The environment parser, and every reader of a hook command's answer.

use std::collections::BTreeMap;
use std::io;

use jujuna::{
    Context, Error, HookCommand, HookOutput, HookTools, Juju, OpenedPort, RelationId, Revision,
    SecretOwner, SecretUri, StorageId, UnitAddress, UnitName, chain,
};
use serde::Deserialize;

use crate::fuzz;

const RECORDING: &str = include_str!("../data/juju-3.6.11.jsonl");
/// What the recording does not have, a line each: the hook command, a tab, and its answer.
const MORE: &str = include_str!("corpus.tsv");
/// A value that no error may quote.
const SECRET: &str = "hunter22hunter22";

#[derive(Deserialize)]
struct Run {
    env: BTreeMap<String, String>,
    commands: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    argv: Vec<String>,
    rc: Option<i32>,
    stdout: String,
}

fn runs() -> impl Iterator<Item = Run> {
    let lines = RECORDING
        .lines()
        .filter(|line| line.contains("\"commands\""));
    lines.map(|line| serde_json::from_str(line).unwrap())
}

/// What a hook command answered, each once.
fn corpus(command: &str) -> Vec<String> {
    let recorded = runs().flat_map(|run| run.commands);
    let recorded = recorded.filter(|call| call.argv[0] == command && call.rc == Some(0));
    let more = MORE.lines().filter_map(|line| line.split_once('\t'));
    let more = more.filter(|(name, _)| *name == command);
    let mut all: Vec<String> = recorded
        .map(|call| call.stdout)
        .chain(more.map(|(_, answer)| answer.to_owned()))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Says the same to whatever it is asked, and that this unit is the leader.
struct Says(String);

impl HookTools for Says {
    fn call(&self, command: &HookCommand) -> io::Result<HookOutput> {
        let output = match command.name() {
            "is-leader" if !["true", "false"].contains(&self.0.trim()) => "true",
            _ => self.0.as_str(),
        };
        Ok(HookOutput::new(0, output, ""))
    }
}

fn read<T>(command: &str, read: impl Fn(&mut Juju) -> Result<T, Error>) {
    fuzz(command, &corpus(command), |input| {
        let mut juju = Juju::new(Box::new(Says(input.to_owned())));
        if let Err(error) = read(&mut juju) {
            let told = format!("{} {error:?}", chain(&error));
            assert!(!told.contains(SECRET), "{told}");
        }
    });
}

/// Any type there is, to read options and databags as.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only reading matters")]
struct Everything {
    port: Option<u16>,
    ratio: Option<f64>,
    flag: Option<bool>,
    text: Option<String>,
    list: Option<Vec<i8>>,
    map: Option<BTreeMap<String, Option<u8>>>,
    kind: Option<Kind>,
    uri: Option<SecretUri>,
    unit: Option<UnitName>,
    #[serde(default)]
    tuple: (u8, char),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only reading matters")]
enum Kind {
    One,
    Two(u8),
    Three { x: Vec<Kind> },
}

fn relation() -> RelationId {
    RelationId::new("db", 1)
}

#[test]
fn environment_of_any_kind_is_read_or_refused() {
    let lines = |env: BTreeMap<String, String>| {
        let lines = env.iter().map(|(name, value)| format!("{name}={value}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut corpus: Vec<String> = runs().map(|run| lines(run.env)).collect();
    corpus.sort();
    corpus.dedup();
    fuzz("environment", &corpus, |input| {
        let pairs = input.lines().filter_map(|line| line.split_once('='));
        if let Ok(context) = Context::from_vars(pairs) {
            let again: UnitName = context.unit.to_string().parse().unwrap();
            assert_eq!(again, context.unit);
            drop(context.event.to_string());
        }
    });
}

macro_rules! readers {
    ($($test:ident: $command:literal, $read:expr;)*) => {$(
        #[test]
        fn $test() {
            read($command, $read);
        }
    )*};
}

readers! {
    config_get_of_any_kind: "config-get", |juju| {
        let typed = juju.config::<Everything>().map(drop);
        juju.config_get().and(typed)
    };
    action_get_of_any_kind: "action-get", |juju| {
        let typed = juju.action_params::<Everything>().map(drop);
        juju.action_get().and(typed)
    };
    state_get_of_any_kind: "state-get", |juju| juju.state_get();
    is_leader_of_any_kind: "is-leader", |juju| juju.leader().map(drop);
    goal_state_of_any_kind: "goal-state", |juju| juju.goal_state().map(|state| state.planned_units());
    network_get_of_any_kind: "network-get", |juju| juju.network_get("db");
    unit_get_of_any_kind: "unit-get", |juju| juju.unit_get(UnitAddress::Public);
    opened_ports_of_any_kind: "opened-ports", |juju| {
        juju.opened_ports().map(|ports| {
            for port in ports {
                assert_eq!(port.to_string().parse::<OpenedPort>().unwrap(), port);
            }
        })
    };
    relation_ids_of_any_kind: "relation-ids", |juju| juju.relation_ids("db");
    relation_list_of_any_kind: "relation-list", |juju| {
        let app = juju.relation_app(&relation()).map(drop);
        juju.relation_list(&relation()).and(app)
    };
    relation_get_of_any_kind: "relation-get", |juju| {
        let typed = juju.relation_get_app_as::<Everything>(&relation(), "pg").map(drop);
        juju.relation_get_unit(&relation(), &UnitName::new("pg", 0)).and(typed)
    };
    relation_model_get_of_any_kind: "relation-model-get", |juju| juju.relation_model_get(&relation());
    resource_get_of_any_kind: "resource-get", |juju| juju.resource_get("image");
    secret_get_of_any_kind: "secret-get", |juju| {
        juju.secret_get(&"aaaaaaaaaaaaaaaaaaaa".parse()?, Revision::Refresh)
    };
    secret_info_get_of_any_kind: "secret-info-get", |juju| juju.secret_info_get_by_label("login");
    secret_ids_of_any_kind: "secret-ids", |juju| juju.secret_ids();
    secret_add_of_any_kind: "secret-add", |juju| {
        juju.secret_ensure(SecretOwner::Unit, "login", [("password".to_owned(), SECRET.into())].into());
        juju.secret_uri("login")
    };
    storage_list_of_any_kind: "storage-list", |juju| juju.storage_list("data");
    storage_get_of_any_kind: "storage-get", |juju| juju.storage_get(&StorageId::new("data", 0));
    status_get_of_any_kind: "status-get", |juju| {
        let leader = juju.leader()?.map(|leader| juju.application_status_get(&leader).map(drop));
        juju.status_get().map(drop).and(leader.unwrap_or(Ok(())))
    };
    credential_get_of_any_kind: "credential-get", |juju| juju.credential_get().map(drop);
}
