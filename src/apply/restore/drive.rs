//! The loop that every job goes through, whoever runs it: the action that began it, or a later dispatch that found it open.

use jiff::Timestamp;
use jujuna::{Juju, Status};
use pebble_client::{ChangeId, Client};

use super::bring::Bring;
use super::{steps, trial};
use crate::apply::Halt;
use crate::backup::restore::journal::{self, Journal, MOST_BYTES, Step};
use crate::backup::restore::machine::{self, Next, Observation, Seen};
use crate::backup::restore::moves::MovesError;
use crate::backup::restore::on_volume;
use crate::decide::jobs;
use crate::error_chain::error_chain;
use crate::plan::Condition;
use crate::synapse::layer::RunAs;

/// How a dispatch leaves a job.
#[derive(Debug)]
pub(super) enum Left {
    /// The journal is gone. The job was done, or, for the reason in the journal, it was not and all is as before.
    Over,
    /// The journal is open: the container went away, or Synapse needs more time than a hook has.
    Open(Condition),
    /// The journal is open, and somebody must look at it.
    Blocked(Condition),
}

/// How long whoever runs the job waits for Synapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as the trial may last.
    OfAnAction,
    /// A minute: other hooks wait. The next one looks again.
    OfAHook,
}

/// A job and what it works with.
pub(super) struct Driver<'a> {
    pub(super) juju: &'a Juju,
    pub(super) pebble: &'a Client,
    pub(super) run_as: RunAs,
    pub(super) patience: Patience,
    pub(super) journal: Journal,
    /// How the backup is brought; only the action that began the job can.
    pub(super) bring: Option<Bring<'a>>,
    /// Pebble's start of the waker, as long as nobody waited for its end: it takes a second, in which Synapse stops.
    pub(super) waking: Option<ChangeId>,
}

/// Why a step was left in the middle. The journal stays as it is: the next dispatch takes the step up.
#[derive(Debug)]
pub(super) enum Broken {
    /// It cannot be done; the machine decides what that means.
    Failed(String),
    /// The container went away, or Juju did not do what it should.
    Gone(Halt),
}

impl From<pebble_client::Error> for Broken {
    fn from(error: pebble_client::Error) -> Self {
        if error.is_connection_problem() {
            Self::Gone(error.into())
        } else {
            Self::Failed(error_chain(&error))
        }
    }
}

impl From<MovesError> for Broken {
    fn from(error: MovesError) -> Self {
        match error {
            MovesError::Gone(_) => {
                Self::Gone(Halt::Condition(Condition::waiting(error.to_string())))
            }
            MovesError::Busy | MovesError::Refused(_) => Self::Failed(error.to_string()),
        }
    }
}

impl From<Halt> for Broken {
    fn from(halt: Halt) -> Self {
        Self::Gone(halt)
    }
}

impl Driver<'_> {
    /// Begins a new job.
    pub(super) async fn begin(&mut self) -> Result<Left, Halt> {
        let first = if self.bring.is_some() {
            // From the journal on somebody has to come where this charm dies.
            steps::wake_early(self)
                .await
                .map_err(|broken| match broken {
                    Broken::Gone(halt) => halt,
                    Broken::Failed(why) => Halt::Refused(why),
                })?;
            Step::Stage
        } else {
            Step::Wake
        };
        self.run(Next::Begin(first)).await
    }

    /// Goes on with a job that was found open.
    pub(super) async fn take_up(&mut self) -> Result<Left, Halt> {
        let next = machine::next(&self.journal, &Observation::Found);
        tracing::info!(
            "{} was left at {}: {next:?}",
            self.journal.called(),
            self.journal.step
        );
        self.prepare(&next).await?;
        self.run(next).await
    }

    /// Goes back with a job that was given up.
    pub(super) async fn go_back(&mut self) -> Result<Left, Halt> {
        self.journal.attempts.clear();
        self.journal.trouble = None;
        let next = match machine::go_back(&self.journal) {
            Step::SwapBack => Next::Back(Step::SwapBack, "the admin wants it so".to_owned()),
            step => Next::Begin(step),
        };
        self.prepare(&next).await?;
        self.run(next).await
    }

    /// Pebble may have started anew since: then its plan is empty and nobody wakes the charm.
    async fn prepare(&self, next: &Next) -> Result<(), Halt> {
        match next {
            Next::Begin(Step::Finish) | Next::Back(Step::Finish, _) | Next::Blocked(_) => Ok(()),
            _ => match self.wake().await {
                Ok(()) => Ok(()),
                Err(Broken::Gone(halt)) => Err(halt),
                Err(Broken::Failed(why)) => Err(Halt::Condition(Condition::waiting(why))),
            },
        }
    }

    async fn wake(&self) -> Result<(), Broken> {
        let waking = steps::wake(self).await?;
        steps::be_woken(self.pebble, &waking).await
    }

    async fn run(&mut self, first: Next) -> Result<Left, Halt> {
        let mut next = first;
        loop {
            let step = match next {
                Next::Begin(step) => step,
                Next::Back(step, why) => {
                    tracing::warn!("{} goes back: {why}", self.journal.called());
                    self.journal.setback = Some(why);
                    step
                }
                Next::LookAgain => {
                    self.persist().await?;
                    return Ok(Left::Open(trial::lasting(&self.journal)));
                }
                Next::Blocked(why) => return self.give_up(&why).await,
                Next::Over => return Ok(Left::Over),
            };
            self.journal.begin(step);
            self.persist().await?;
            tracing::info!("{}: {step}", self.journal.called());
            let observation = match self.take(step).await {
                Ok(observation) => observation,
                Err(Broken::Failed(why)) => Observation::Failed(why),
                Err(Broken::Gone(halt)) => return Err(halt),
            };
            next = self.learn(observation);
        }
    }

    fn learn(&mut self, observation: Observation) -> Next {
        let next = machine::next(&self.journal, &observation);
        match (&next, observation) {
            // It stays counted: the next dispatch tries once more.
            (Next::Blocked(_), Observation::Failed(why)) => self.journal.trouble = Some(why),
            (Next::Begin(Step::TrialStart), Observation::Trial(Seen::Ended, _)) => {
                self.journal.end();
                self.journal.exits += 1;
            }
            _ => self.journal.end(),
        }
        next
    }

    async fn take(&mut self, step: Step) -> Result<Observation, Broken> {
        match step {
            Step::Stage => {
                let bring = self.bring.as_mut();
                let bring =
                    bring.ok_or_else(|| Broken::Failed("nobody can bring it".to_owned()))?;
                bring.run(self.pebble, &mut self.journal).await?;
            }
            Step::Wake => {
                self.waking = Some(steps::wake(self).await?);
                // What cannot be renamed is found out before anything is stopped.
                let renames = Box::pin(steps::plan_renames(self)).await?;
                journal::check_size(&renames).map_err(Broken::Failed)?;
            }
            Step::Stop => {
                self.show("stopping Synapse");
                steps::stop(self.pebble, self.waking.as_ref()).await?;
                let renames = Box::pin(steps::plan_renames(self)).await?;
                self.journal.plan(renames).map_err(Broken::Failed)?;
                // From the first rename on nobody may be left who would not be woken.
                self.be_woken().await?;
            }
            Step::Swap => {
                self.show("swapping the data");
                steps::swap(self, false).await?;
            }
            Step::TrialStart => {
                self.show("starting Synapse on the new data for itself alone");
                trial::start(self).await?;
                self.journal.trial_since.get_or_insert_with(Timestamp::now);
            }
            Step::Judge => return trial::judge(self).await,
            Step::PublicStart => {
                // What runs on trial must not be taken for a public one once the journal is gone.
                steps::stop(self.pebble, None).await?;
                steps::keep(self).await?;
            }
            Step::SwapBack => {
                self.show("swapping the data back");
                steps::swap(self, true).await?;
            }
            Step::Finish => {
                // The reconcile that follows stops the waker, and must not meet its start.
                if let Err(error) = self.be_woken().await {
                    tracing::debug!("{error:?}");
                }
                on_volume::remove_journal(self.pebble).await?;
            }
        }
        Ok(Observation::Done)
    }

    /// Waits for the end of the waker's start, if nobody did yet. One that does not stay up is not tried again and again: a
    /// replan would try too, and fail with it.
    async fn be_woken(&mut self) -> Result<(), Broken> {
        let Some(waking) = self.waking.take() else {
            return Ok(());
        };
        let woken = steps::be_woken(self.pebble, &waking).await;
        if let Err(Broken::Failed(_)) = &woken
            && let Err(error) = steps::stop_waker(self.pebble).await
        {
            tracing::debug!("{error}");
        }
        woken
    }

    async fn give_up(&mut self, why: &str) -> Result<Left, Halt> {
        let condition = Condition::blocked(jobs::stuck(&self.journal, why));
        if self.journal.trouble.is_some() {
            self.persist().await?;
        }
        if jobs::given_up(&self.journal).is_some()
            && let Err(error) = steps::stop_waker(self.pebble).await
        {
            // Where Pebble started anew there is none.
            tracing::debug!("{error}");
        }
        Ok(Left::Blocked(condition))
    }

    /// What is written is on disk when this returns.
    async fn persist(&self) -> Result<(), Halt> {
        let text = self.journal.to_text().map_err(anyhow::Error::from)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(anyhow::anyhow!("the journal is too long to be read again").into());
        }
        Ok(on_volume::write_journal(self.pebble, &text, self.run_as).await?)
    }

    fn show(&self, doing: &str) {
        let status = Status::Maintenance(format!("{}: {doing}", self.journal.called()));
        // A job does not end because a word about it was not taken.
        if let Err(error) = self.juju.status_set(&status) {
            tracing::warn!("{error}");
        }
    }
}
