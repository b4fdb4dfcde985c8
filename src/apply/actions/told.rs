//! What is told of a long action while it runs.

use jujuna::Juju;

use crate::backup::Progress;
use crate::backup::limits::ACTION_LOG_LINES;
use crate::decide::status;
use crate::plan::Condition;

/// Tells the action's log and the status how far a job is.
#[derive(Debug)]
pub(in crate::apply) struct Told<'a> {
    juju: &'a Juju,
    /// In words, such as "backing up".
    doing: &'static str,
    lines: usize,
    /// What else is to be said of the unit, for hours maybe.
    conditions: &'a [Condition],
}

impl<'a> Told<'a> {
    /// Begins to tell: the status says at once what goes on, after all that is wrong besides.
    pub(in crate::apply) fn new(
        juju: &'a Juju,
        doing: &'static str,
        conditions: &'a [Condition],
    ) -> Self {
        let told = Self {
            juju,
            doing,
            lines: 0,
            conditions,
        };
        told.show(doing);
        told
    }

    fn show(&self, text: &str) {
        let status = status::compose_during(self.conditions, text);
        // A job does not end because a word about it was not taken.
        if let Err(error) = self.juju.status_set(&status) {
            tracing::warn!("{error}");
        }
    }
}

impl Progress for Told<'_> {
    fn log(&mut self, line: &str) {
        self.lines += 1;
        if self.lines > ACTION_LOG_LINES {
            return;
        }
        if let Err(error) = self.juju.action_log(line) {
            tracing::warn!("{error}");
        }
        if let Some((percent, _)) = line.split_once(" %: ") {
            self.show(&format!("{} {percent} %", self.doing));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jujuna::testing::{FakeJuju, State};

    #[test]
    fn progress_is_told_in_at_most_200_lines() {
        let fake = FakeJuju::new(State::new("synapse/0").with_action());
        let juju = Juju::new(Box::new(fake.clone()));
        let mut told = Told::new(&juju, "backing up", &[]);
        for percent in 0..300 {
            told.log(&format!("{percent} %: 1 of 2 read"));
        }
        assert_eq!(fake.action_log().len(), 200);
        assert_eq!(fake.state().status.message, "backing up 199 %");
    }

    #[test]
    fn progress_hides_nothing_that_is_wrong() {
        let fake = FakeJuju::new(State::new("synapse/0").with_action());
        let juju = Juju::new(Box::new(fake.clone()));
        let conditions = [Condition::waiting("synapse: stopped")];
        let mut told = Told::new(&juju, "backing up", &conditions);
        told.log("43 %: 1 of 2 read");
        let status = fake.state().status;
        assert_eq!(
            (status.status.as_str(), status.message.as_str()),
            ("waiting", "synapse: stopped; backing up 43 %")
        );
    }
}
