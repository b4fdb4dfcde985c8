//! Juju 3.6.11's own answers, recorded, against juju-sim's: the same charm commands in the same hooks after the same steps.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recording;
mod scenario;

use recording::Recording;
use scenario::Scenario;
use serde_json::Value;
use std::collections::BTreeMap;

/// Every command of the recording that juju-sim has answers as Juju did, in hooks of the same order and environment. A difference
/// on purpose would stand here, with its reason in docs/reference/juju-sim.md; there is none.
#[test]
fn recorded_steps_answer_as_juju_answered() {
    let recording = Recording::read();
    let scenario = Scenario::play(&recording);
    let reports = scenario.reports();
    same_order(&recording, &reports);
    assert_eq!(scenario.answers, recording.answers());
    same_answers(&recording, &reports);
}

fn same_answers(recording: &Recording, reports: &[Value]) {
    let (mut equal, mut left_out) = (0, 0);
    let mut different = Vec::new();
    for report in reports {
        equal += report["equal"].as_u64().unwrap();
        left_out += report["unsupported"].as_u64().unwrap();
        for difference in report["different"].as_array().unwrap() {
            different.push(format!(
                "{} {} {}: {difference}",
                report["unit"], report["path"], report["nth"]
            ));
        }
    }
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
    assert_eq!((equal + left_out, left_out), (recording.commands(), 8));
}

/// What one unit ran, oldest first.
fn paths(reports: &[Value], unit: &str) -> Vec<String> {
    let own = reports.iter().filter(|report| report["unit"] == unit);
    own.map(|report| report["path"].as_str().unwrap().to_owned())
        .collect()
}

fn same_order(recording: &Recording, reports: &[Value]) {
    for (unit, recorded) in recording.orders() {
        let ran = paths(reports, &unit);
        let without_pebble = |paths: &[String]| -> Vec<String> {
            let kept = paths.iter().filter(|path| !path.contains("-pebble-"));
            kept.cloned().collect()
        };
        assert_eq!(
            without_pebble(&ran),
            without_pebble(&recorded),
            "order of {unit}"
        );
        // When Juju asks a Pebble whether it is ready is left open, and so what comes before and after that; the order of what
        // Pebble notices is not.
        let noticed = |paths: &[String]| -> Vec<String> {
            let is_noticed =
                |path: &&String| path.contains("-pebble-") && !path.ends_with("-pebble-ready");
            paths.iter().filter(is_noticed).cloned().collect()
        };
        assert_eq!(noticed(&ran), noticed(&recorded), "notices of {unit}");
        assert_eq!(counts(&ran), counts(&recorded), "hooks of {unit}");
    }
}

fn counts(paths: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for path in paths {
        *counts.entry(path.as_str()).or_default() += 1;
    }
    counts
}
