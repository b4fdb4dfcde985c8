//! Scenario files: what an operator does to a model and what is expected of it, run without a person.

mod expect;
mod run;
mod steps;

use crate::client::{AddModel, Error, Juju};
use crate::forms;
use anyhow::{Context as _, Result, bail};
use run::Runner;
use serde::Deserialize;
use serde::Serialize;
use serde_norway::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use steps::Step;

/// How long an expectation has, unless the file says otherwise.
const WITHIN: Duration = Duration::from_mins(1);

/// A scenario, read and checked.
///
/// ```no_run
/// # fn main() -> Result<(), juju_sim::Error> {
/// use juju_sim::{AddModel, Scenario};
///
/// let scenario = Scenario::read("issue-17.yaml".as_ref())?;
/// let report = scenario.run(AddModel::default(), |step| println!("{step}"))?;
/// assert!(report.passed, "{:?}", report.steps.last());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Scenario {
    model: String,
    update_status: Option<Duration>,
    forwards: Vec<crate::pod::Forward>,
    within: Duration,
    steps: Vec<(String, Step)>,
    folder: PathBuf,
}

/// How a step went.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// Which step, counted from 1.
    pub number: usize,
    /// Its verb and what it is about.
    pub step: String,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a scenario went; after a step that failed no other was taken.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioReport {
    /// Whether every step did as expected.
    pub passed: bool,
    /// The steps that were taken.
    pub steps: Vec<StepReport>,
    /// If a step failed: every unit's status then.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// If a step failed: the end of the log then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_secs_f64())
}

impl std::fmt::Display for StepReport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            number,
            step,
            took,
            problem,
        } = self;
        let word = if problem.is_none() { "ok  " } else { "FAIL" };
        write!(
            formatter,
            "{word} {number:>3}  {step} ({:.1} s)",
            took.as_secs_f64()
        )?;
        problem
            .iter()
            .try_for_each(|problem| write!(formatter, "\n          {problem}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    update_status: Option<String>,
    #[serde(default)]
    forward: Vec<String>,
    #[serde(default)]
    within: Option<String>,
    steps: Vec<Value>,
}

fn refused(error: &anyhow::Error) -> Error {
    Error::refused(format!("{error:#}"))
}

impl Scenario {
    /// Reads a scenario's file. Paths in it are taken from the file's folder.
    ///
    /// # Errors
    /// When the file cannot be read or is not of the form; the step and the field are named.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let read = || {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let absolute = std::path::absolute(file)?;
            Self::parse(&text, absolute.parent().unwrap_or(Path::new("/")))
                .with_context(|| format!("{} is no scenario", file.display()))
        };
        read().map_err(|error| refused(&error))
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let file: File = serde_norway::from_str(text)?;
        let steps = file.steps.into_iter().enumerate().map(|(index, value)| {
            let label = steps::label(&value);
            let step = serde_norway::with::singleton_map::deserialize(value)
                .with_context(|| format!("step {} ({label})", index + 1))?;
            Ok((label, step))
        });
        let update_status = file.update_status.as_deref().map(forms::duration);
        let within = file.within.as_deref().map(forms::duration);
        Ok(Self {
            steps: steps.collect::<Result<_>>()?,
            model: file.model.unwrap_or_else(|| "scenario".to_owned()),
            update_status: update_status.transpose()?,
            forwards: (file.forward.iter())
                .map(|text| forms::forward(text))
                .collect::<Result<_>>()?,
            within: within.transpose()?.unwrap_or(WITHIN),
            folder: folder.to_owned(),
        })
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Takes the steps in a new model made as `add` says (name, forwards and update-status are the scenario's); `told` gets each
    /// step as it ends. A step that fails ends the scenario and is in the report.
    ///
    /// # Errors
    /// When the model cannot be made.
    pub fn run(
        &self,
        add: AddModel,
        mut told: impl FnMut(&StepReport),
    ) -> Result<ScenarioReport, Error> {
        let juju = Juju::add_model(AddModel {
            name: self.model.clone(),
            forwards: self.forwards.clone(),
            update_status: self.update_status,
            ..add
        })?;
        let mut runner = Runner::new(&juju, &self.folder, self.within);
        let mut steps = Vec::new();
        for (index, (label, step)) in self.steps.iter().enumerate() {
            let began = Instant::now();
            let outcome = runner.take(step, index);
            let report = StepReport {
                number: index + 1,
                step: label.clone(),
                took: began.elapsed(),
                problem: outcome.err().map(|error| format!("{error:#}")),
            };
            told(&report);
            steps.push(report);
            if steps.last().is_some_and(|last| last.problem.is_some()) {
                return Ok(failed(&juju, steps));
            }
        }
        Ok(ScenarioReport {
            passed: true,
            steps,
            status: String::new(),
            log: Vec::new(),
        })
    }
}

fn failed(juju: &Juju, steps: Vec<StepReport>) -> ScenarioReport {
    let log = juju.debug_log().unwrap_or_default();
    ScenarioReport {
        passed: false,
        steps,
        status: juju
            .status()
            .map(|status| status.to_string())
            .unwrap_or_default(),
        log: log[log.len().saturating_sub(40)..].to_vec(),
    }
}

/// A path of a scenario's, which may be relative to its file and must be there.
fn existing(folder: &Path, path: &Path) -> Result<PathBuf> {
    let path = folder.join(path);
    if !path.exists() {
        bail!("{} is not there", path.display());
    }
    Ok(path)
}
