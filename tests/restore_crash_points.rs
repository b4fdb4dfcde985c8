//! Every step of a restore and of its undo, killed before and after it: what is live afterwards is the old or the new data,
//! whole, and Synapse serves again by itself.
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/aftermath.rs"]
mod aftermath;
#[path = "support/deployment.rs"]
mod deployment;
#[path = "support/homeserver.rs"]
mod homeserver;
#[path = "support/pebble_relay.rs"]
mod pebble_relay;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/s3_server.rs"]
mod s3_server;

use aftermath::{Data, wait_until_it_serves, which_is_live};
use deployment::{DEADLINE, Deployment, UNIT, command, must, names_in};
use homeserver::Homeserver;
use pebble_relay::{Entry, PebbleRelay, Point};
use processes::Processes;
use serde_json::json;
use synapse_charm::backup::restore::journal::Step;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Charm,
    Pebble,
}

type When = fn(String) -> Point;

/// A server, what it has now, and a backup of what it had then.
struct Ground {
    deployment: Deployment,
    processes: Processes,
    backup: String,
    then: Data,
    now: Data,
}

impl Ground {
    fn new(image: &str) -> Self {
        let deployment = Deployment::with_backups(image);
        let mut told = Homeserver::fill(&deployment);
        let then = Data::live(&deployment, &told);
        let backup = deployment.create_backup();
        told.add_messages(&deployment, 1);
        told.add_media(&deployment, 3000);
        let now = Data::live(&deployment, &told);
        Self {
            processes: Processes::of_unit(&deployment),
            deployment,
            backup,
            then,
            now,
        }
    }

    fn relay(&self) -> PebbleRelay {
        PebbleRelay::before(&must(self.deployment.juju.pebble_socket(UNIT, "synapse")))
    }

    fn begin_restore(&self) -> u32 {
        let parameters = json!({ "backup-id": self.backup });
        self.deployment.begin_with("restore-backup", parameters)
    }

    /// The steps that a job takes to its end when nobody disturbs it.
    fn steps_of(&self, begin: impl FnOnce(&PebbleRelay) -> u32) -> Vec<String> {
        let relay = self.relay();
        let task = begin(&relay);
        self.deployment.end(task);
        self.deployment.settle();
        let mut steps = Vec::new();
        let entries = relay.entries();
        let (last, written) = entries.split_last().unwrap();
        assert_eq!(last, &Entry::Removed, "{entries:?}");
        for entry in written {
            match entry {
                Entry::Step(step) => steps.push(step.clone()),
                Entry::Removed => panic!("removed before the end: {entries:?}"),
            }
        }
        // A step may be written more than once.
        steps.dedup();
        steps
    }

    /// Waits until the job is at the point, and kills.
    fn kill(&self, relay: PebbleRelay, task: u32, point: &Point, victim: Victim) {
        let over = || must(self.deployment.juju.show_task(task)).finished;
        assert!(
            relay.reaches(DEADLINE, over),
            "{point:?} was not met: {:?}",
            relay.entries()
        );
        match victim {
            Victim::Charm => self.deployment.juju.kill_charm(UNIT).unwrap(),
            Victim::Pebble => {
                relay.let_go();
                let killed = self.deployment.juju.kill_container(UNIT, "synapse");
                killed.unwrap();
            }
        }
        drop(relay);
        let outcome = self.deployment.end(task);
        assert_eq!(outcome.status, "failed", "{point:?}: {outcome:?}");
    }

    /// What must hold after a kill while `was` was live; returns whether the data of then is live.
    fn check(&self, was: &Data, point: &Point, victim: Victim, prompted: bool) -> bool {
        let when = if was.stored == self.now.stored {
            "restore"
        } else {
            "undo"
        };
        let when = format!("{when}, {victim:?} killed {point:?}");
        if victim == Victim::Charm && aftermath::has_untouched_journal(&self.deployment) {
            assert!(self.deployment.answers(), "{when}");
        }
        if prompted {
            must(self.deployment.juju.fire(UNIT, "update-status"));
        }
        let took = wait_until_it_serves(&self.deployment, &when);
        eprintln!("{when}: it served again after {:.1} s", took.as_secs_f32());
        self.deployment.settle();
        let live = which_is_live(&self.deployment, &[&self.now, &self.then], &when);
        aftermath::assert_nothing_left(&self.deployment, &self.processes, &when);
        live.stored == self.then.stored
    }

    fn kept(&self) -> usize {
        aftermath::kept(&self.deployment).len()
    }
}

/// Kills at each step of a restore, and of the undos that follow it.
///
/// A charm that is killed before a step of a restore is left to those who wake it; after a step, or in an undo, the next hook
/// comes at once, which takes less time. A Pebble that comes back wakes the charm itself.
fn kill_each_step(image: &str, victim: Victim, when: When) {
    let prompted = |of_undo: bool, point: &Point| {
        victim == Victim::Charm && (of_undo || matches!(point, Point::After(_)))
    };
    let ground = Ground::new(image);
    let restore = ground.steps_of(|_| ground.begin_restore());
    let all: Vec<&str> = Step::ALL.iter().map(|step| step.name()).collect();
    let good: Vec<&str> = all
        .iter()
        .copied()
        .filter(|it| *it != "swap-back")
        .collect();
    assert_eq!(restore, good, "a step without a test");
    let undo = ground.steps_of(|_| ground.deployment.begin("undo-restore"));
    assert_eq!(undo, good[1..], "a step without a test");
    ground.now.assert_live(&ground.deployment, "after an undo");

    let mut undos = undo.into_iter();
    for step in restore {
        let point = when(step);
        let kept = ground.kept();
        let relay = ground.relay();
        relay.stop_at(point.clone());
        let task = ground.begin_restore();
        ground.kill(relay, task, &point, victim);
        let mut restored = ground.check(&ground.now, &point, victim, prompted(false, &point));
        assert_eq!(ground.kept(), kept + usize::from(restored), "{point:?}");
        while restored {
            let Some(step) = undos.next() else {
                ground.deployment.done("undo-restore", json!({}));
                ground.deployment.settle();
                break;
            };
            let point = when(step);
            let relay = ground.relay();
            relay.stop_at(point.clone());
            let task = ground.deployment.begin("undo-restore");
            ground.kill(relay, task, &point, victim);
            restored = ground.check(&ground.then, &point, victim, prompted(true, &point));
            assert_eq!(ground.kept(), kept + 1, "{point:?}");
        }
    }
    assert_eq!(undos.next(), None, "an undo was not tested");
}

#[test]
fn restore_whose_charm_is_killed_before_any_step_leaves_old_or_new_data_whole() {
    kill_each_step("ours", Victim::Charm, Point::Before);
}

#[test]
fn restore_whose_charm_is_killed_after_any_step_leaves_old_or_new_data_whole() {
    kill_each_step("upstream", Victim::Charm, Point::After);
}

#[test]
fn restore_whose_pebble_is_killed_before_any_step_leaves_old_or_new_data_whole() {
    kill_each_step("ours", Victim::Pebble, Point::Before);
}

#[test]
fn restore_whose_pebble_is_killed_after_any_step_leaves_old_or_new_data_whole() {
    kill_each_step("ours", Victim::Pebble, Point::After);
}

/// Makes what was staged unfit, unseen: a user is missing.
fn take_a_user_away(ground: &Ground) {
    let program = "
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as database:
    assert database.execute(\"DELETE FROM users WHERE name LIKE '@bob:%'\").rowcount == 1
";
    let data = ground.deployment.data();
    let all = names_in(&data).into_iter();
    let staged = all
        .map(|name| data.join(name).join("new/data/homeserver.db"))
        .filter(|database| database.exists());
    let [database] = &staged.collect::<Vec<_>>()[..] else {
        panic!("nothing was staged in {:?}", names_in(&data));
    };
    command("python3", |python| {
        python.args(["-c", program]).arg(database)
    });
}

/// Begins a restore whose trial will show that the data is not what it should be.
fn begin_bad_restore(ground: &Ground, relay: &PebbleRelay, to: Option<Point>) -> u32 {
    relay.stop_at(Point::Before("wake".to_owned()));
    let task = ground.begin_restore();
    assert!(relay.reaches(DEADLINE, || false));
    take_a_user_away(ground);
    relay.go_on(to);
    task
}

#[test]
fn restore_that_goes_back_leaves_the_old_data_whole_wherever_it_is_killed() {
    let ground = Ground::new("ours");
    let steps = ground.steps_of(|relay| begin_bad_restore(&ground, relay, None));
    let failed = [
        "stage",
        "wake",
        "stop",
        "swap",
        "trial-start",
        "judge",
        "swap-back",
        "finish",
    ];
    assert_eq!(steps, failed);
    ground
        .now
        .assert_live(&ground.deployment, "after a restore that went back");

    for victim in [Victim::Charm, Victim::Pebble] {
        for when in [Point::Before, Point::After] {
            for step in &steps[steps.len() - 2..] {
                let point = when(step.clone());
                let relay = ground.relay();
                let task = begin_bad_restore(&ground, &relay, Some(point.clone()));
                ground.kill(relay, task, &point, victim);
                let restored = ground.check(&ground.now, &point, victim, victim == Victim::Charm);
                assert!(!restored, "{point:?}");
                assert_eq!(ground.kept(), 0, "{point:?}");
            }
        }
    }
}
