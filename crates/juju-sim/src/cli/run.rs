//! `run` and `show-task`.

use super::arguments::{OutputFormat, RunArguments};
use super::{place, print};
use crate::client::{Juju, TaskOutcome};
use crate::forms;
use crate::model::actions::parameters;
use crate::model::name::UnitName;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn run(juju: &Juju, run: &RunArguments) -> Result<ExitCode> {
    let words: Vec<_> = place::pairs(&run.parameters)?.into_iter().collect();
    let given: Map<String, Value> = if run.string_args {
        words
            .into_iter()
            .map(|(key, value)| (key, json!(value)))
            .collect()
    } else {
        parameters(&words)?
    };
    let wait = forms::duration(&run.wait)?;
    let number = juju.enqueue(&run.unit, &run.action, given)?;
    let unit: UnitName = run.unit.parse()?;
    print::note(&format!(
        "Running operation {} with 1 task\n  - task {number} on {}\n",
        number - 1,
        unit.tag()
    ));
    if run.background {
        print::note(&format!(
            "Scheduled operation {} with task {number}\nCheck task status with 'juju-sim show-task {number}'",
            number - 1
        ));
        return Ok(ExitCode::SUCCESS);
    }
    print::note(&format!("Waiting for task {number}..."));
    let outcome = match wait_with_progress(juju, number, wait) {
        Ok(outcome) => outcome,
        Err(error) if error.is_timeout() => {
            print::note(&format!(
                "\nERROR timed out waiting for results from: {}\nThe task goes on: see it with 'juju-sim show-task {number}', or wait longer: run --wait=2h",
                run.unit
            ));
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    };
    finish(&outcome, run.format)
}

/// On a terminal a spinner with the last line of `action-log`, and a bar where lines tell a percentage; plain lines otherwise.
fn wait_with_progress(
    juju: &Juju,
    number: u32,
    wait: Duration,
) -> crate::client::Result<TaskOutcome> {
    if !std::io::stderr().is_terminal() {
        return juju.wait_task(number, wait, print::note);
    }
    let bar = ProgressBar::new(100);
    let style = |template: &str| {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
    };
    style("{spinner} {elapsed} {msg}");
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut measured = false;
    let outcome = juju.wait_task(number, wait, |line| {
        if let Some(percent) = percentage(line) {
            if !measured {
                style("{spinner} {elapsed} [{bar:30}] {msg}");
                measured = true;
            }
            bar.set_position(percent);
        }
        bar.set_message(line.to_owned());
    });
    bar.finish_and_clear();
    outcome
}

/// The number before the first `%` of a line.
fn percentage(line: &str) -> Option<u64> {
    let before = line.split_once('%')?.0.trim_end();
    let number = before
        .rsplit(|character: char| !character.is_ascii_digit() && character != '.')
        .next()?;
    number
        .split('.')
        .next()?
        .parse()
        .ok()
        .filter(|percent| *percent <= 100)
}

fn finish(outcome: &TaskOutcome, format: OutputFormat) -> Result<ExitCode> {
    let code = outcome
        .results
        .get("return-code")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    if format == OutputFormat::Tabular {
        let mut shown = outcome.results.clone();
        shown.remove("return-code");
        let (stdout, stderr) = (take(&mut shown, "stdout"), take(&mut shown, "stderr"));
        if outcome.status == "failed" {
            print::line(&format!(
                "Action id {} failed: {}",
                outcome.id, outcome.message
            ))?;
        }
        if !shown.is_empty() {
            print::value(&Value::Object(shown), OutputFormat::Yaml)?;
        }
        for text in [stdout, stderr].into_iter().flatten() {
            print::line(&text)?;
        }
    } else {
        let mut all = json!(outcome);
        if let Some(all) = all.as_object_mut() {
            all.remove("finished");
        }
        print::value(&json!({(outcome.unit.clone()): all}), format)?;
    }
    if outcome.status == "completed" {
        return Ok(ExitCode::SUCCESS);
    }
    print::note(&format!(
        "ERROR the following task failed:\n - id \"{}\" with return code {code}\n\nuse 'juju-sim show-task' to inspect the failure",
        outcome.id
    ));
    Ok(ExitCode::FAILURE)
}

fn take(results: &mut Map<String, Value>, name: &str) -> Option<String> {
    results
        .remove(name)
        .and_then(|text| text.as_str().map(|text| text.trim_end().to_owned()))
}

pub(super) fn show_task(
    juju: &Juju,
    number: u32,
    wait: &str,
    format: OutputFormat,
) -> Result<ExitCode> {
    let wait = forms::duration(wait)?;
    let outcome = match juju.wait_task(number, wait, |_| ()) {
        Err(error) if error.is_timeout() => juju.show_task(number)?,
        outcome => outcome?,
    };
    let mut shown = json!({"id": outcome.id, "status": outcome.status, "timing": outcome.timing});
    if !outcome.message.is_empty() {
        shown["message"] = json!(outcome.message);
    }
    if !outcome.log.is_empty() {
        shown["log"] = outcome
            .log
            .iter()
            .map(|line| {
                format!(
                    "{} {}",
                    line.time.as_deref().unwrap_or_default(),
                    line.message
                )
            })
            .collect();
    }
    if outcome.finished {
        shown["results"] = json!(outcome.results);
    }
    if let Some(timing) = shown["timing"].as_object_mut() {
        timing.retain(|_, time| !time.is_null());
    }
    print::value(&shown, format)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::percentage;

    #[test]
    fn percentage_is_the_number_before_the_sign() {
        assert_eq!(
            percentage("media: 12.4 GB of 30 GB, 41.7 %, 2 min left"),
            Some(41)
        );
        assert_eq!(percentage("100% done"), Some(100));
        assert_eq!(percentage("nothing to tell"), None);
    }
}
