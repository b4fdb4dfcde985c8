//! The whole table: every step, begun once or twice, with everything that can be seen of it.

use super::*;
use crate::backup::restore::journal::Kind;

fn at(step: Step, begun: u32) -> Journal {
    let restore = "restore-20261123-070501-00ff".parse().unwrap();
    let mut journal = Journal::new(Kind::Restore, restore, "b".into(), "a.example".into());
    journal.step = step;
    journal.attempts.insert(step, begun);
    journal
}

/// `step`, `back to step`, `blocked`, `look again` or `over`.
fn said(next: &Next) -> String {
    match next {
        Next::Begin(step) => step.to_string(),
        Next::Back(step, _) => format!("back to {step}"),
        Next::LookAgain => "look again".into(),
        Next::Blocked(_) => "blocked".into(),
        Next::Over => "over".into(),
    }
}

/// Step: done; failed; found after one attempt; found after two.
const TABLE: &str = "
    stage: wake; back to finish; back to finish; back to finish
    wake: stop; back to finish; back to finish; back to finish
    stop: swap; back to finish; back to finish; back to finish
    swap: trial-start; back to swap-back; swap; back to swap-back
    trial-start: judge; back to swap-back; trial-start; back to swap-back
    judge: public-start; back to swap-back; judge; back to swap-back
    public-start: finish; blocked; public-start; blocked
    swap-back: finish; blocked; swap-back; blocked
    finish: over; blocked; finish; blocked
";

#[test]
fn every_step_leads_on_back_or_to_somebody_who_looks() {
    let failure = Observation::Failed("x".into());
    let lines: Vec<&str> = TABLE.trim().lines().collect();
    assert_eq!(lines.len(), Step::ALL.len());
    for (step, line) in Step::ALL.into_iter().zip(lines_in_order(&lines)) {
        let wanted: Vec<&str> = line.split("; ").collect();
        for (index, (begun, observation)) in [
            (1, &Observation::Done),
            (1, &failure),
            (1, &Observation::Found),
            (2, &Observation::Found),
        ]
        .into_iter()
        .enumerate()
        {
            let next = said(&next(&at(step, begun), observation));
            assert_eq!(
                next, wanted[index],
                "{step} begun {begun} times, {observation:?}"
            );
        }
    }
}

/// What the table says of each step, in the order of [`Step::ALL`].
fn lines_in_order<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let of = |step: Step| {
        let begin = format!("{step}: ");
        let found = lines
            .iter()
            .find_map(|line| line.trim().strip_prefix(begin.as_str()));
        found.unwrap()
    };
    Step::ALL.into_iter().map(of).collect()
}

#[test]
fn nothing_leads_from_before_the_swap_to_it_once_the_charm_has_died() {
    for step in [Step::Stage, Step::Wake, Step::Stop] {
        let Next::Back(Step::Finish, why) = next(&at(step, 1), &Observation::Found) else {
            panic!("{step}");
        };
        assert!(why.contains(step.name()), "{why}");
    }
}

#[test]
fn trial_ends_when_synapse_is_sound_wrong_gone_twice_or_late() {
    let soon = Duration::from_secs(5);
    let wrong = Seen::Wrong("2 users instead of 3".into());
    for (exits, seen, lasted, wanted) in [
        (0, Seen::Sound, soon, "public-start"),
        (1, Seen::Sound, MOST_TRIAL * 2, "public-start"),
        (0, Seen::Starting, soon, "look again"),
        (0, Seen::Starting, MOST_TRIAL, "back to swap-back"),
        (0, Seen::Ended, soon, "trial-start"),
        (1, Seen::Ended, soon, "back to swap-back"),
        (0, wrong, soon, "back to swap-back"),
    ] {
        let mut journal = at(Step::Judge, 1);
        journal.exits = exits;
        let seen = Observation::Trial(seen, lasted);
        assert_eq!(said(&next(&journal, &seen)), wanted, "{exits} {seen:?}");
    }
}

/// However often the charm dies, at whichever steps, and whatever the trial says, a job comes to an end or to somebody who
/// looks, and never leaves data half swapped.
#[test]
fn every_history_ends_with_one_of_the_two_data_whole() {
    let mut waiting = vec![(at(Step::Stage, 1), false, 0_u32)];
    let mut seen = 0;
    while let Some((journal, swapped, length)) = waiting.pop() {
        assert!(length < 40, "{journal:?} does not end");
        seen += 1;
        let mut observations = vec![Observation::Found, Observation::Failed("x".into())];
        if journal.step == Step::Judge {
            let all = [Seen::Sound, Seen::Ended, Seen::Wrong("x".into())];
            observations.extend(all.map(|seen| Observation::Trial(seen, Duration::ZERO)));
        } else {
            observations.push(Observation::Done);
        }
        for observation in observations {
            let done = observation == Observation::Done;
            let swapped = match journal.step {
                Step::Swap if done => true,
                Step::SwapBack if done => false,
                _ => swapped,
            };
            let mut journal = journal.clone();
            let next = next(&journal, &observation);
            if observation != Observation::Found {
                journal.end();
            }
            let step = match next {
                Next::Begin(step) => step,
                Next::Back(step, why) => {
                    journal.setback = Some(why);
                    step
                }
                Next::LookAgain | Next::Blocked(_) => continue,
                Next::Over => {
                    assert_eq!(swapped, journal.setback.is_none());
                    continue;
                }
            };
            if step == Step::TrialStart && journal.step == Step::Judge {
                journal.exits += 1;
            }
            journal.begin(step);
            waiting.push((journal, swapped, length + 1));
        }
    }
    assert!(seen > 500, "{seen}");
}
