//! What a job does next. Pure: [`next`] is a function of the journal and of what was seen.
//!
//! ```text
//! stage > wake > stop > swap > trial-start > judge > public-start > finish
//!                         |         |           |
//!                         +---------+-----------+----> swap-back > finish
//! ```
//!
//! A step that comes to its end is followed by the next one. Before the swap, whatever goes wrong leads to `finish`: nothing
//! live was touched. From the swap on it leads to `swap-back`. A dispatch that finds the journal open takes up the job at
//! the step that somebody began and did not end; a step that died twice is not begun a third time.

use std::time::Duration;

use super::journal::{Journal, Step};

/// So often a step may be begun without coming to an end.
const MOST_ATTEMPTS: u32 = 2;

/// So often Synapse may end by itself in its trial.
const MOST_EXITS: u32 = 2;

/// For so long Synapse may take to become healthy: it may have to migrate the database.
pub const MOST_TRIAL: Duration = Duration::from_mins(30);

/// What was seen of the step that the journal names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A dispatch found the journal open: whoever began the step is gone.
    Found,
    /// The step came to its end.
    Done,
    /// The step cannot be done, and why.
    Failed(String),
    /// Synapse on trial: how it is, and for how long the trial has lasted.
    Trial(Seen, Duration),
}

/// How a Synapse on trial is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It serves what it should.
    Sound,
    /// It has not answered yet.
    Starting,
    /// It ended by itself, or went away with its container.
    Ended,
    /// It answers, but is not what it should be.
    Wrong(String),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Begin this step.
    Begin(Step),
    /// Go back, and why. The step is the one that leads back from here.
    Back(Step, String),
    /// Go on looking at the trial.
    LookAgain,
    /// Somebody must look at it: nothing more is done, and why.
    Blocked(String),
    /// The job is over.
    Over,
}

/// Returns what to do next.
pub fn next(journal: &Journal, observation: &Observation) -> Next {
    match observation {
        Observation::Found => taken_up(journal),
        Observation::Done => after(journal.step),
        Observation::Failed(why) => back(journal.step, why.clone()),
        Observation::Trial(seen, lasted) => trial(journal, seen, *lasted),
    }
}

/// Returns the step with which a job goes on that was given up, when the admin wants the data from before it.
pub fn go_back(journal: &Journal) -> Step {
    match journal.step {
        Step::Stage | Step::Wake | Step::Stop | Step::Finish => Step::Finish,
        Step::Swap | Step::TrialStart | Step::Judge | Step::PublicStart | Step::SwapBack => {
            Step::SwapBack
        }
    }
}

fn after(step: Step) -> Next {
    match step {
        Step::Stage => Next::Begin(Step::Wake),
        Step::Wake => Next::Begin(Step::Stop),
        Step::Stop => Next::Begin(Step::Swap),
        Step::Swap => Next::Begin(Step::TrialStart),
        Step::TrialStart => Next::Begin(Step::Judge),
        Step::Judge => Next::Begin(Step::PublicStart),
        Step::PublicStart | Step::SwapBack => Next::Begin(Step::Finish),
        Step::Finish => Next::Over,
    }
}

/// The way back from a step that cannot be done.
fn back(step: Step, why: String) -> Next {
    match step {
        Step::Stage | Step::Wake | Step::Stop => Next::Back(Step::Finish, why),
        Step::Swap | Step::TrialStart | Step::Judge => Next::Back(Step::SwapBack, why),
        Step::PublicStart | Step::SwapBack | Step::Finish => {
            Next::Blocked(format!("the step {step} cannot be done: {why}"))
        }
    }
}

fn taken_up(journal: &Journal) -> Next {
    let step = journal.step;
    let died = || format!("the charm or its container ended during the step {step}");
    match step {
        Step::Stage | Step::Wake | Step::Stop => back(step, died()),
        _ if journal.deaths() < MOST_ATTEMPTS => Next::Begin(step),
        Step::Swap | Step::TrialStart | Step::Judge => back(step, format!("{} twice", died())),
        Step::PublicStart | Step::SwapBack | Step::Finish => {
            Next::Blocked(format!("{} twice", died()))
        }
    }
}

fn trial(journal: &Journal, seen: &Seen, lasted: Duration) -> Next {
    match seen {
        Seen::Sound => after(Step::Judge),
        Seen::Wrong(why) => back(Step::Judge, why.clone()),
        Seen::Ended if journal.exits + 1 >= MOST_EXITS => back(
            Step::Judge,
            "Synapse ended by itself twice on the new data".to_owned(),
        ),
        Seen::Ended => Next::Begin(Step::TrialStart),
        Seen::Starting if lasted >= MOST_TRIAL => back(
            Step::Judge,
            format!(
                "Synapse did not become healthy on the new data within {} min",
                MOST_TRIAL.as_secs() / 60
            ),
        ),
        Seen::Starting => Next::LookAgain,
    }
}

#[cfg(test)]
mod tests;
