//! A dispatch that is cut short anywhere must not matter in the end.

use std::fmt;

use super::{End, Fault, Harness, State};
use crate::Event;

/// Where a dispatch that was cut short leads elsewhere than one that was not.
///
/// [`Harness::converges_from_every_crash_point`] has an example.
#[derive(Clone, PartialEq, Eq)]
pub struct Divergence {
    fault: Fault,
    command: String,
    what: &'static str,
    diff: Vec<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.fault {
            Fault::Fail(_) => "after a failing",
            Fault::Hang(_) => "after a hanging",
            Fault::KillBefore(_) => "killed before",
            Fault::KillAfter(_) => "killed after",
        };
        let (Fault::Fail(call)
        | Fault::Hang(call)
        | Fault::KillBefore(call)
        | Fault::KillAfter(call)) = self.fault;
        let (command, what) = (&self.command, self.what);
        write!(f, "{how} hook command {call} ({command}), {what}:")?;
        self.diff.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl fmt::Debug for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}\n")
    }
}

impl std::error::Error for Divergence {}

impl Harness {
    /// Cuts a dispatch short at each of its hook commands, in every way, and then lets it run once more, as Juju does.
    ///
    /// Each time it must end as if nothing had happened. And a dispatch that was cut short must leave nothing half-written:
    /// either nothing of what is buffered, or, if it did without the hook command that failed, all. An action is judged by the
    /// same rules, although it is the operator who runs it once more. The unit's and the application's status, the workload's
    /// version and which revision of a secret is read show at once, so they may differ in between.
    ///
    /// Returns how many points were tried.
    ///
    /// # Errors
    ///
    /// Returns the first point from which it ends elsewhere, and where.
    ///
    /// # Panics
    ///
    /// As of [`run`](Harness::run).
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{Charm, Harness};
    /// # use jujuna::{Event, Outcome};
    /// # let charm = || Charm::parse("{name: hello}", "", "{count: {description: Counts.}}");
    /// // Says first, and does then.
    /// let harness = Harness::new(charm(), |_, juju| {
    ///     if juju.status_get()?.message != "counted" {
    ///         juju.status_set(&jujuna::Status::Active("counted".to_owned()))?;
    ///         juju.state_set("count", "1");
    ///     }
    ///     Ok(Outcome::Done)
    /// });
    /// let before = harness.state("hello/0");
    /// let divergence = harness.converges_from_every_crash_point(&Event::Start, &before).unwrap_err();
    /// let text = "killed after hook command 2 (status-set), it ends otherwise when run again:\n- state count: 1";
    /// assert_eq!(divergence.to_string(), text);
    ///
    /// let harness = Harness::new(charm(), |_, juju| {
    ///     juju.state_set("count", "1");
    ///     Ok(Outcome::Active("counted".to_owned()))
    /// });
    /// assert_eq!(harness.converges_from_every_crash_point(&Event::Start, &before)?, 12);
    /// assert_eq!(harness.converges_from_every_crash_point(&Event::action("count", "1"), &before)?, 8);
    /// # Ok::<(), jujuna::testing::Divergence>(())
    /// ```
    pub fn converges_from_every_crash_point(
        &self,
        event: &Event,
        state: &State,
    ) -> Result<usize, Divergence> {
        self.converges_on(event, state, &())
    }
}

impl<W: Clone + PartialEq + fmt::Debug> Harness<W> {
    /// Does the same on a workload, which keeps what was done to it when the charm is cut short, and must end the same, too.
    ///
    /// # Errors
    ///
    /// As of [`converges_from_every_crash_point`](Harness::converges_from_every_crash_point).
    ///
    /// # Panics
    ///
    /// As of [`run_on`](Harness::run_on).
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::testing::{Charm, Harness};
    /// # use jujuna::{Event, Juju, Outcome};
    /// let harness = Harness::with_workload(Charm::parse("{name: hello}", "", ""), |context, fake, runs: &mut bool| {
    ///     let mut juju = Juju::for_context(Box::new(fake.clone()), context);
    ///     jujuna::dispatch(context, &mut juju, |_, _| {
    ///         *runs = true;
    ///         Ok(Outcome::Active(String::new()))
    ///     })
    /// });
    /// harness.converges_on(&Event::Start, &harness.state("hello/0"), &false)?;
    /// # Ok::<(), jujuna::testing::Divergence>(())
    /// ```
    pub fn converges_on(
        &self,
        event: &Event,
        state: &State,
        workload: &W,
    ) -> Result<usize, Divergence> {
        let mut aim_workload = workload.clone();
        let aim = self.run_on(event, state, &mut aim_workload);
        let faults = (1..=aim.calls.len()).flat_map(|call| {
            [
                Fault::Fail(call),
                Fault::Hang(call),
                Fault::KillBefore(call),
                Fault::KillAfter(call),
            ]
        });
        let mut tried = 0;
        for fault in faults {
            let (Fault::Fail(call)
            | Fault::Hang(call)
            | Fault::KillBefore(call)
            | Fault::KillAfter(call)) = fault;
            let diverges = |what, diff: Vec<String>| Divergence {
                fault,
                command: aim.calls[call - 1].name.clone(),
                what,
                diff,
            };
            let mut workload = workload.clone();
            let cut = self.run_on_with_fault(event, state, &mut workload, Some(fault));
            let half = kept(state).diff(&kept(&cut.state));
            if has_failed(event, &cut) && !half.is_empty() {
                return Err(diverges("it leaves something behind", half));
            }
            let cut_state = State {
                action: state.action.clone(),
                ..cut.state
            };
            let again = self.run_on(event, &cut_state, &mut workload);
            let diff = aim.state.diff(&again.state);
            if !diff.is_empty() {
                return Err(diverges("it ends otherwise when run again", diff));
            }
            if workload != aim_workload {
                let diff = vec![format!("- {aim_workload:?}"), format!("+ {workload:?}")];
                return Err(diverges("its workload ends otherwise when run again", diff));
            }
            tried += 1;
        }
        Ok(tried)
    }
}

/// Whether nothing may be left behind: the dispatch failed, or could not end at all.
fn has_failed(event: &Event, end: &End) -> bool {
    match (end.exit_code, event) {
        (Some(0), Event::Action(_)) => end.action_failure.is_some(),
        (Some(0), _) => end.state.status.message == crate::dispatch::INTERNAL_ERROR,
        _ => true,
    }
}

/// A model without what shows at once.
fn kept(state: &State) -> State {
    let mut state = State {
        status: "unknown".into(),
        application_status: "unknown".into(),
        workload_version: String::new(),
        action: None,
        ..state.clone()
    };
    for secret in &mut state.secrets {
        secret.tracked = None;
    }
    state
}
