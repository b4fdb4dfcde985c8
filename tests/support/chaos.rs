//! Backups and restores under random kills, and what must hold after each.
//!
//! Include it by `#[path = "support/chaos.rs"] mod chaos;`, beside `aftermath` and what that needs.
#![allow(
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "it waits for a moment, tells each kill, and a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use juju_sim::TaskOutcome;
use serde_json::{Value, json};

use crate::aftermath::{self, Data, wait_until_it_serves, which_is_live};
use crate::deployment::{BUCKET, Deployment, PASSPHRASE, UNIT, must};
use crate::homeserver::{Fingerprint, Homeserver};
use crate::processes::{Process, Processes};

/// More than one part of an upload.
const BIG_MEDIA_BYTES: usize = 12_000_000;
/// Older ones are removed.
const MOST_BACKUPS: usize = 4;
/// Older ones are discarded.
const MOST_KEPT: usize = 2;

/// The programs of the pipelines.
const STAGES: [&str; 5] = ["aws", "gpg", "python3", "tar", "zstd"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Create,
    Restore,
    Undo,
    Verify,
    Delete,
    Discard,
}

impl Operation {
    fn action(self) -> &'static str {
        match self {
            Self::Create => "create-backup",
            Self::Restore => "restore-backup",
            Self::Undo => "undo-restore",
            Self::Verify => "verify-backup",
            Self::Delete => "delete-backup",
            Self::Discard => "discard-old-data",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Charm,
    Pebble,
    S3Server,
    /// A process of the pipeline.
    Stage,
}

/// One kill: what is going on, and what is killed when.
#[derive(Debug, Clone)]
struct Kill {
    number: u32,
    operation: Operation,
    backup: Option<String>,
    victim: Victim,
    /// Of the time that the operation takes undisturbed.
    moment: f64,
    /// Which process, of those there are.
    which: f64,
    /// Whether an event is fired afterwards, or the unit is left alone.
    prompted: bool,
    /// For how long an S3 server stays away, while the operation is on its way.
    away: Duration,
}

impl fmt::Display for Kill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backup = self.backup.as_deref().unwrap_or_default();
        write!(
            formatter,
            "kill {}: {} {backup}, {:?} at {:.2}, then {}",
            self.number,
            self.operation.action(),
            self.victim,
            self.moment,
            if self.prompted {
                "update-status"
            } else {
                "nothing"
            }
        )
    }
}

/// Random numbers that a seed determines (splitmix64).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn of_kill(seed: u64, number: u32) -> Self {
        let mut chance = Self(seed ^ (u64::from(number) << 32));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).unwrap()
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        f64::from(self.below(10_000)) / 10_000.0
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(u32::try_from(all.len()).unwrap()) as usize].clone()
    }
}

/// A deployment, and all that is known of it.
#[derive(Debug)]
pub struct Chaos {
    deployment: Deployment,
    processes: Processes,
    seed: u64,
    live: Data,
    /// What each finished backup holds.
    finished: BTreeMap<String, Data>,
    /// What restores have put aside, the newest last.
    kept: Vec<Data>,
    /// How long each takes undisturbed.
    durations: BTreeMap<Operation, Duration>,
}

impl Chaos {
    /// A homeserver with data and a backup.
    pub fn begin(seed: u64, image: &str) -> Self {
        let deployment = Deployment::with_backups(image);
        let mut told = Homeserver::fill(&deployment);
        told.add_media(&deployment, BIG_MEDIA_BYTES);
        let live = Data::live(&deployment, &told);
        let processes = Processes::of_unit(&deployment);
        Self {
            deployment,
            processes,
            seed,
            live,
            finished: BTreeMap::new(),
            kept: Vec::new(),
            durations: BTreeMap::from([
                (Operation::Create, Duration::from_secs(2)),
                (Operation::Restore, Duration::from_secs(12)),
                (Operation::Undo, Duration::from_secs(8)),
                (Operation::Verify, Duration::from_secs(4)),
                (Operation::Delete, Duration::from_secs(1)),
                (Operation::Discard, Duration::from_secs(1)),
            ]),
        }
    }

    /// Kills something while something goes on, and checks all that must hold; `number` and the seed decide what.
    pub fn kill(&mut self, number: u32) {
        let mut chance = Chance::of_kill(self.seed, number);
        loop {
            self.tidy();
            if chance.below(2) == 0 {
                self.change();
            }
            let kill = self.choose(number, &mut chance);
            // Else it could not be seen which data is live.
            if self
                .target(kill.operation, kill.backup.as_deref())
                .is_some_and(|target| target.stored == self.live.stored)
            {
                self.change();
            }
            eprintln!("{kill}");
            let began = Instant::now();
            let task = self.deployment.begin_with(
                kill.operation.action(),
                parameters(kill.operation, kill.backup.as_deref()),
            );
            let hit = self.disturb(&kill, task);
            let outcome = self.deployment.end(task);
            let took = began.elapsed();
            eprintln!(
                "  {hit:?} after {took:.1?}: {} {}",
                outcome.status, outcome.message
            );
            if kill.prompted {
                must(self.deployment.juju.fire(UNIT, "update-status"));
            }
            let when = format!("seed {}, {kill}", self.seed);
            let again = wait_until_it_serves(&self.deployment, &when);
            eprintln!("  serves after {again:.1?}");
            self.deployment.settle();
            self.check(kill.operation, kill.backup.as_deref(), &outcome, &when);
            if hit.is_some() {
                return;
            }
            self.durations.insert(kill.operation, took);
        }
    }

    /// Removes what would only pile up; lets there be a backup.
    fn tidy(&mut self) {
        if self.finished.is_empty() {
            let outcome = self.deployment.done("create-backup", json!({}));
            self.check(Operation::Create, None, &outcome, "undisturbed");
        }
        while self.finished.len() > MOST_BACKUPS {
            let (id, _) = self.finished.pop_first().unwrap();
            self.deployment.server.remove(BUCKET, &format!("{id}/"));
        }
        if self.kept.len() > MOST_KEPT {
            self.deployment.done("discard-old-data", json!({}));
            self.kept.clear();
        }
    }

    /// Lets the live data be none that was ever backed up.
    fn change(&mut self) {
        let mut told = self.live.told.clone();
        told.add_messages(&self.deployment, 1);
        told.add_media(&self.deployment, 1000);
        self.live = Data::live(&self.deployment, &told);
    }

    fn choose(&self, number: u32, chance: &mut Chance) -> Kill {
        let mut operations = vec![Operation::Create; 5];
        if !self.finished.is_empty() {
            operations.extend([Operation::Restore; 8]);
            operations.extend([Operation::Verify, Operation::Delete]);
        }
        if !self.kept.is_empty() {
            operations.extend([Operation::Undo; 3]);
            operations.push(Operation::Discard);
        }
        let operation = chance.one_of(&operations);
        let ids: Vec<_> = self.finished.keys().cloned().collect();
        let victims = [
            Victim::Charm,
            Victim::Charm,
            Victim::Pebble,
            Victim::Pebble,
            Victim::S3Server,
            Victim::Stage,
            Victim::Stage,
        ];
        Kill {
            number,
            operation,
            backup: (!ids.is_empty()).then(|| chance.one_of(&ids)),
            victim: match operation {
                Operation::Undo | Operation::Discard => chance.one_of(&victims[..4]),
                _ => chance.one_of(&victims),
            },
            moment: chance.part(),
            which: chance.part(),
            prompted: chance.below(2) == 0,
            away: Duration::from_secs(chance.below(20).into()),
        }
    }

    /// Kills, unless the operation ends first; says what.
    fn disturb(&mut self, kill: &Kill, task: u32) -> Option<String> {
        let Deployment { model, server, .. } = &mut self.deployment;
        let juju = &model.juju;
        let over = || must(juju.show_task(task)).finished;
        let wait = self.durations[&kill.operation].mul_f64(kill.moment);
        let moment = Instant::now() + wait;
        while Instant::now() < moment {
            if over() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        match kill.victim {
            Victim::Charm => juju.kill_charm(UNIT).ok().map(|()| "the charm".to_owned()),
            Victim::Pebble => {
                must(juju.kill_container(UNIT, "synapse"));
                Some("Pebble".to_owned())
            }
            Victim::S3Server => {
                server.kill();
                // A backup whose archives are stored waits for it, for minutes.
                let back = Instant::now() + kill.away;
                while Instant::now() < back && !over() {
                    std::thread::sleep(Duration::from_millis(50));
                }
                server.restart();
                Some("the S3 server".to_owned())
            }
            Victim::Stage => {
                // Mostly one that has to do with data, which may have to be waited for.
                let any = kill.which < 0.2;
                let fits = |process: &Process| any || STAGES.iter().any(|name| process.is(name));
                let mut all: Vec<Process> = Vec::new();
                while all.is_empty() {
                    if over() {
                        return None;
                    }
                    all = self.processes.ours();
                    all.retain(fits);
                }
                all.sort_by_key(|process| process.pid);
                let count = f64::from(u32::try_from(all.len()).unwrap());
                let mut victims = all.into_iter().zip(1_u32..);
                let place = (kill.which * 5.0).fract() * count;
                let victim = victims.find(|(_, next)| f64::from(*next) > place);
                let (victim, _) = victim.unwrap();
                let command = victim.command.replace('\0', " ");
                victim.kill().then(|| command.chars().take(80).collect())
            }
        }
    }

    /// What is live when an operation has gone through, if that is something else.
    fn target(&self, operation: Operation, backup: Option<&str>) -> Option<&Data> {
        match operation {
            Operation::Restore => backup.map(|id| &self.finished[id]),
            Operation::Undo => self.kept.last(),
            _ => None,
        }
    }

    /// The invariants, and what is live, finished and kept from now on.
    fn check(
        &mut self,
        operation: Operation,
        backup: Option<&str>,
        outcome: &TaskOutcome,
        when: &str,
    ) {
        let completed = outcome.status == "completed";
        let was = self.live.clone();
        let target = self.target(operation, backup).cloned();
        let candidates: Vec<&Data> = match &target {
            Some(target) if completed => vec![target],
            Some(target) => vec![&was, target],
            None => vec![&was],
        };
        let live = which_is_live(&self.deployment, &candidates, when).clone();
        if live.stored != was.stored {
            if operation == Operation::Undo {
                self.kept.pop();
            }
            self.kept.push(was);
        }
        self.live = live;
        aftermath::assert_nothing_left(&self.deployment, &self.processes, when);
        self.check_kept(operation, completed, when);
        self.check_backups(operation, backup, completed, when);
        self.check_words(outcome, when);
    }

    fn check_kept(&mut self, operation: Operation, completed: bool, when: &str) {
        let folders = aftermath::kept(&self.deployment);
        if operation == Operation::Discard {
            assert!(!completed || folders.is_empty(), "{when}: {folders:?}");
            let gone = self.kept.len().saturating_sub(folders.len());
            self.kept.drain(..gone);
        }
        assert_eq!(folders.len(), self.kept.len(), "{when}: {folders:?}");
    }

    /// What is listed as finished can be opened, and holds what it should.
    fn check_backups(
        &mut self,
        operation: Operation,
        backup: Option<&str>,
        completed: bool,
        when: &str,
    ) {
        let listed = self.deployment.listed();
        let count = self.finished.len();
        for (id, state) in &listed {
            if state == "finished" {
                let is_new = !self.finished.contains_key(id);
                if is_new {
                    assert_eq!(operation, Operation::Create, "{when}: {id} is finished");
                    self.finished.insert(id.clone(), self.live.clone());
                }
                if is_new || (operation == Operation::Delete && backup == Some(id)) {
                    self.assert_opens(id, when);
                }
            } else {
                let said = ["failed", "abandoned", "in progress", "damaged"];
                assert!(said.contains(&state.as_str()), "{when}: {id} is {state}");
                assert!(
                    !self.finished.contains_key(id)
                        || (operation == Operation::Delete && backup == Some(id)),
                    "{when}: {id} is {state}"
                );
                self.deployment.server.remove(BUCKET, &format!("{id}/"));
            }
        }
        let is_finished = |id: &String| listed.contains(&(id.clone(), "finished".to_owned()));
        if operation == Operation::Delete {
            let deleted = backup.unwrap();
            assert!(!completed || !is_finished(&deleted.to_owned()), "{when}");
            self.finished
                .retain(|id, _| id != deleted || is_finished(id));
        }
        if operation == Operation::Create && completed {
            assert_eq!(self.finished.len(), count + 1, "{when}: {listed:?}");
        }
        let missing: Vec<_> = self.finished.keys().filter(|id| !is_finished(id)).collect();
        assert!(missing.is_empty(), "{when}: {missing:?} of {listed:?}");
    }

    /// With nothing but gpg, zstd and tar.
    fn assert_opens(&self, id: &str, when: &str) {
        let open = |name: &str| {
            let key = self.deployment.object_of(&format!("{id}/"), name);
            self.deployment.open_archive(PASSPHRASE.as_bytes(), &key)
        };
        let (state, media) = (open("state.tar"), open("media.tar"));
        let store = "data/media_store";
        if media.join(store).exists() {
            std::fs::rename(media.join(store), state.join(store)).unwrap();
        }
        let found = Fingerprint::of_folder(&state.join("data"));
        found.assert_is(&self.finished[id].stored, when);
        for folder in [state, media] {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    /// A failure says what, why and what to do; nothing says a secret.
    fn check_words(&self, outcome: &TaskOutcome, when: &str) {
        let said = &outcome.message;
        // Juju's own word for a charm that was killed.
        let killed = said == "terminated" && when.contains("Charm");
        if outcome.status != "completed" && !killed {
            let next = ["run ", "juju ", "again", "check "];
            let complete = said.contains(": ") && next.iter().any(|word| said.contains(word));
            assert!(complete, "{when}: it says only {said:?}");
        }
        let shown = must(self.deployment.juju.status());
        let commands: Vec<_> = self.processes.all();
        let texts = [
            self.deployment.log(),
            format!("{outcome:?} {shown:?} {commands:?}"),
        ];
        for text in texts {
            aftermath::assert_tells_no_secret(&self.deployment, &text, when);
        }
    }
}

fn parameters(operation: Operation, backup: Option<&str>) -> Value {
    match operation {
        Operation::Restore | Operation::Verify | Operation::Delete => {
            json!({ "backup-id": backup.unwrap() })
        }
        Operation::Create | Operation::Undo | Operation::Discard => json!({}),
    }
}
