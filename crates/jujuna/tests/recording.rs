//! What Juju 3.6.11 really answered, held against what this crate reads.
//!
//! `data/juju-3.6.11.jsonl` was recorded with Juju's own agent; ids, times and folders in it are placeholders.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io;
use std::str::FromStr;

use jujuna::{
    Context, Error, ErrorKind, Event, HookCommand, HookOutput, HookTools, Juju, Level, OpenedPort,
    RelationId, Revision, SecretUri, StorageId, UnitAddress, UnitName,
};
use serde::Deserialize;

const RECORDING: &str = include_str!("data/juju-3.6.11.jsonl");

/// One run of the recorded charm.
#[derive(Deserialize)]
struct Run {
    path: String,
    env: BTreeMap<String, String>,
    commands: Vec<Recorded>,
}

/// One hook command and its answer.
#[derive(Clone, Deserialize)]
struct Recorded {
    argv: Vec<String>,
    /// Absent: there is no such command.
    rc: Option<i32>,
    stdout: String,
    stderr: String,
}

fn runs() -> Vec<Run> {
    let lines = RECORDING
        .lines()
        .filter(|line| line.contains("\"commands\""));
    let runs: Vec<Run> = lines
        .map(|line| serde_json::from_str(&with_real_ids(line)).unwrap())
        .collect();
    assert!(runs.len() > 100);
    runs
}

fn recorded() -> Vec<Recorded> {
    let commands: Vec<_> = runs().into_iter().flat_map(|run| run.commands).collect();
    assert!(commands.len() > 1_700);
    commands
}

/// Puts ids where the recording has placeholders such as `<secret-3>`.
fn with_real_ids(line: &str) -> String {
    let mut line = line.to_owned();
    for number in 1..=20 {
        line = line.replace(&format!("<secret-{number}>"), &format!("{number:a>20}"));
        line = line.replace(
            &format!("<uuid-{number}>"),
            &format!("00000000-0000-4000-8000-{number:012}"),
        );
    }
    line
}

/// Answers any hook command by a recorded answer.
struct Answer(Recorded);

impl HookTools for Answer {
    fn call(&self, _command: &HookCommand) -> io::Result<HookOutput> {
        match self.0.rc {
            Some(rc) => Ok(HookOutput::new(
                rc,
                self.0.stdout.as_str(),
                self.0.stderr.as_str(),
            )),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Only a leader may ask: it is one by the first answer, and reads the second.
struct Leads(Recorded);

impl HookTools for Leads {
    fn call(&self, command: &HookCommand) -> io::Result<HookOutput> {
        match command.name() {
            "is-leader" => Ok(HookOutput::new(0, "true", "")),
            _ => Answer(self.0.clone()).call(command),
        }
    }
}

fn application_status(recorded: &Recorded) -> Result<(), Error> {
    let juju = Juju::new(Box::new(Leads(recorded.clone())));
    let leader = juju.leader()?.unwrap();
    juju.application_status_get(&leader)
        .map(|status| assert!(!status.units.is_empty()))
}

/// Reads a recorded answer by what this crate has for that command; `None` if it asks for it in another form.
fn read(recorded: &Recorded) -> Option<Result<(), Error>> {
    let juju = Juju::new(Box::new(Answer(recorded.clone())));
    let has = |flag: &str| recorded.argv.iter().any(|argument| argument == flag);
    // What is neither an option nor an option's value.
    let mut words = Vec::new();
    let mut arguments = recorded.argv[1..].iter();
    while let Some(argument) = arguments.next() {
        if ["-r", "-s", "--label"].contains(&argument.as_str()) {
            arguments.next();
        } else if !argument.starts_with('-') || argument == "-" {
            words.push(argument.as_str());
        }
    }
    // One key's value alone: this crate reads all, once.
    let one_key = words.first().is_some_and(|word| *word != "-");
    let relation = RelationId::new("db", 1);
    let uri: SecretUri = "aaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    Some(match recorded.argv[0].as_str() {
        "config-get" | "action-get" | "state-get" | "relation-get" if one_key => return None,
        "config-get" => juju.config_get().map(drop),
        "action-get" => juju.action_get().map(drop),
        "state-get" => juju.state_get().map(drop),
        "is-leader" => juju.leader().map(drop),
        "goal-state" => juju
            .goal_state()
            .map(|state| assert!(state.planned_units() > 0)),
        "network-get" => juju.network_get("db").map(|network| {
            assert!(!network.bind_addresses[0].addresses[0].value.is_empty());
            assert!(!network.ingress_addresses.is_empty() && !network.egress_subnets.is_empty());
        }),
        "opened-ports" => juju.opened_ports().map(drop),
        "relation-ids" => juju.relation_ids("db").map(drop),
        "relation-list" if has("--app") => juju
            .relation_app(&relation)
            .map(|app| assert!(app.is_some())),
        "relation-list" => juju.relation_list(&relation).map(drop),
        "relation-get" if has("--app") => juju.relation_get_app(&relation, "remote").map(drop),
        "relation-get" => juju
            .relation_get_unit(&relation, &UnitName::new("remote", 0))
            .map(drop),
        "secret-get" => juju.secret_get(&uri, Revision::Tracked).map(drop),
        "secret-info-get" => juju
            .secret_info_get(&uri)
            .map(|info| assert!(info.revision > 0)),
        "secret-ids" => juju.secret_ids().map(drop),
        "storage-list" => juju.storage_list("data").map(drop),
        "storage-get" => juju.storage_get(&StorageId::new("data", 0)).map(drop),
        "status-get" if has("--application") => application_status(recorded),
        "status-get" => juju.status_get().map(drop),
        "relation-model-get" => juju
            .relation_model_get(&relation)
            .map(|uuid| assert_eq!(uuid.len(), 36)),
        _ => return None,
    })
}

/// Commands that only write: Juju says nothing.
const WRITERS: [&str; 19] = [
    "action-fail",
    "action-log",
    "action-set",
    "application-version-set",
    "close-port",
    "juju-log",
    "juju-reboot",
    "leader-set",
    "open-port",
    "relation-set",
    "secret-grant",
    "secret-remove",
    "secret-revoke",
    "secret-set",
    "state-delete",
    "state-set",
    "status-set",
    "storage-add",
    "payload-register",
];

/// Reads what a command prints a word a line of.
fn read_lines(recorded: &Recorded) -> Option<Result<(), Error>> {
    fn each<T: FromStr<Err = Error>>(text: &str) -> Result<(), Error> {
        text.lines()
            .try_for_each(|line| line.parse::<T>().map(drop))
    }
    let text = recorded.stdout.as_str();
    Some(match recorded.argv[0].as_str() {
        "relation-ids" => each::<RelationId>(text),
        "relation-list" if recorded.argv.iter().any(|word| word == "--app") => Ok(()),
        "relation-list" => each::<UnitName>(text),
        "opened-ports" => each::<OpenedPort>(text),
        "storage-list" => each::<StorageId>(text),
        "secret-ids" | "secret-add" => each::<SecretUri>(text),
        "is-leader" => {
            assert!(["True\n", "False\n"].contains(&text));
            Ok(())
        }
        // A value alone, which this crate asks for with the rest.
        "network-get" | "status-get" if text.lines().count() == 1 && !text.contains(": ") => Ok(()),
        "unit-get" => {
            let juju = Juju::new(Box::new(Answer(recorded.clone())));
            juju.unit_get(UnitAddress::Public)
                .map(|address| assert!(!address.contains(['\n', ' '])))
        }
        _ => return None,
    })
}

/// The same answer, if the charm had asked for JSON, as this crate always does.
fn in_json(recorded: &Recorded) -> Recorded {
    let value: serde_json::Value = match recorded.stdout.as_str() {
        "" => serde_json::Value::Null,
        yaml => serde_saphyr::from_str(yaml).unwrap(),
    };
    Recorded {
        stdout: value.to_string(),
        ..recorded.clone()
    }
}

#[test]
fn every_recorded_stdout_is_understood() {
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    for recorded in recorded().into_iter().filter(|call| call.rc == Some(0)) {
        let name = recorded.argv[0].as_str();
        let has = |wanted: &str| recorded.argv.iter().any(|word| word == wanted);
        let (how, result) = if WRITERS.contains(&name) {
            assert_eq!(recorded.stdout, "", "{:?}", recorded.argv);
            ("nothing to read", Ok(()))
        } else if has("--format=json") {
            if let Some(result) = read(&recorded) {
                ("json", result)
            } else {
                assert!(one_word(&recorded), "{:?}", recorded.argv);
                let _: serde_json::Value = serde_json::from_str(&recorded.stdout).unwrap();
                ("one value as json", Ok(()))
            }
        } else if !has("--format=yaml")
            && let Some(result) = read_lines(&recorded)
        {
            ("lines", result)
        } else if one_word(&recorded) {
            ("one value as text", Ok(()))
        } else if let Some(result) = read(&in_json(&recorded)) {
            ("yaml", result)
        } else {
            assert_eq!(name, "leader-get", "{:?}", recorded.argv);
            ("of an older Juju", Ok(()))
        };
        let cause = |error: &Error| std::error::Error::source(error).map(ToString::to_string);
        if let Err(error) = result {
            let (argv, stdout) = (&recorded.argv, &recorded.stdout);
            panic!("{argv:?} {stdout:?}: {error} {:?}", cause(&error));
        }
        *by.entry(how).or_default() += 1;
    }
    assert!(
        by["json"] > 250 && by["yaml"] > 300 && by["lines"] > 150,
        "{by:?}"
    );
}

/// Whether the value of one key alone was asked for.
fn one_word(recorded: &Recorded) -> bool {
    let of_keys = [
        "config-get",
        "action-get",
        "state-get",
        "relation-get",
        "secret-get",
        "storage-get",
    ];
    let mut words = recorded.argv[1..]
        .iter()
        .filter(|word| !word.starts_with("--format"));
    let mut keys = 0;
    while let Some(word) = words.next() {
        match word.as_str() {
            "-r" | "-s" | "--label" | "-o" | "--output" => drop(words.next()),
            "-" => {}
            word if word.starts_with('-') || word.contains(['/', ':']) => {}
            _ => keys += 1,
        }
    }
    // The application whose databag is read is no key.
    let app = recorded
        .argv
        .iter()
        .any(|word| word == "--app" || word == "-");
    of_keys.contains(&recorded.argv[0].as_str()) && keys > usize::from(app)
}

fn kind_of(recorded: &Recorded) -> ErrorKind {
    let juju = Juju::new(Box::new(Answer(recorded.clone())));
    juju.juju_log(Level::Info, "any").unwrap_err().kind()
}

#[test]
fn every_recorded_refusal_has_a_kind() {
    // What is left without one: not the charm's to act on.
    let without = [
        "yaml: unmarshal errors",
        "open /no/such/file",
        "no k8s spec specified",
    ];
    let mut refusals = 0;
    for recorded in recorded()
        .into_iter()
        .filter(|recorded| recorded.rc != Some(0))
    {
        let kind = kind_of(&recorded);
        let unkind = without.iter().any(|words| recorded.stderr.contains(words));
        assert_eq!(
            kind == ErrorKind::Failed,
            unkind,
            "{:?} {:?}: {kind:?}",
            recorded.argv,
            recorded.stderr
        );
        refusals += 1;
    }
    assert!(refusals > 200, "{refusals}");
}

#[test]
fn recorded_refusals_are_told_apart() {
    let expected = [
        ("relation not found", ErrorKind::NotFound),
        ("settings not found", ErrorKind::NotFound),
        ("no network config found", ErrorKind::NotFound),
        ("storage attachment", ErrorKind::NotFound),
        ("could not download resource", ErrorKind::NotFound),
        ("consumer label", ErrorKind::NotFound),
        ("permission denied", ErrorKind::PermissionDenied),
        ("this unit is not the leader", ErrorKind::NotLeader),
        ("cannot write relation settings", ErrorKind::NotLeader),
        ("cannot write leadership settings", ErrorKind::NotLeader),
        ("not running an action", ErrorKind::NotInContext),
        ("no relation id specified", ErrorKind::NotInContext),
        ("port ranges are not supported", ErrorKind::Unsupported),
        ("unknown command", ErrorKind::Unsupported),
        ("unrecognized args", ErrorKind::Usage),
        ("must start and end with lowercase", ErrorKind::Usage),
        ("invalid relation id", ErrorKind::Usage),
        ("option provided but not defined", ErrorKind::Usage),
    ];
    let refusals: Vec<_> = recorded()
        .into_iter()
        .filter(|recorded| !recorded.stderr.is_empty())
        .collect();
    for (words, kind) in expected {
        let found: Vec<_> = refusals
            .iter()
            .filter(|recorded| recorded.stderr.contains(words))
            .collect();
        assert!(!found.is_empty(), "{words}");
        for recorded in found {
            assert_eq!(
                kind_of(recorded),
                kind,
                "{:?} {:?}",
                recorded.argv,
                recorded.stderr
            );
        }
    }
}

#[test]
fn every_recorded_environment_is_understood() {
    for run in runs() {
        let context = Context::from_vars(run.env.clone())
            .unwrap_or_else(|error| panic!("{}: {error}", run.path));
        assert!(!matches!(context.event, Event::Unknown(_)), "{}", run.path);
        // Juju's name for the event is the end of the path.
        assert_eq!(
            context.event.to_string(),
            run.path.rsplit('/').next().unwrap(),
            "{:?}",
            context.event
        );
        assert_eq!(context.unit.app(), "probe");
        assert!(context.juju_version.is_at_least(3, 6));
        assert_eq!(context.machine_id, None);
        match context.event {
            Event::Action(action) => {
                assert_eq!(run.env["JUJU_ACTION_TAG"], format!("action-{}", action.id));
            }
            Event::Relation(relation) => assert_eq!(relation.id.endpoint(), relation.endpoint),
            Event::Secret(secret) => assert_eq!(secret.id.id().len(), 20),
            Event::Storage(storage) => assert!(storage.location.is_some()),
            _ => {}
        }
    }
}
