//! What each verb of the command line does.

use super::arguments::{
    AddModelArguments, Arguments, ConfigArguments, DebugLogArguments, DeployArguments,
    OutputFormat, ScenarioArguments, ScenarioVerb, Verb,
};
use super::{place, print, run, status};
use crate::client::{AddModel, Deploy, Juju};
use crate::controller;
use crate::forms;
use crate::protocol::Request;
use crate::scenario::Scenario;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How often `debug-log` looks for new lines.
const LOG_LOOK: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { model, data, verb } = arguments;
    match verb {
        Verb::AddModel(arguments) => add_model(arguments, data),
        Verb::Controller {
            forward,
            pebble,
            update_status,
            die_with_parent,
        } => {
            controller::run(controller::Options {
                model: model.unwrap_or_default(),
                folder: data.context("a controller needs --data")?,
                pebble,
                forwards: forward
                    .iter()
                    .map(|text| forms::forward(text))
                    .collect::<Result<_>>()?,
                update_status: update_status.as_deref().map(forms::duration).transpose()?,
                die_with_parent,
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::DestroyModel { name, .. } => {
            let name = name.or(model);
            place::connect(name.as_deref(), data.as_deref())?.destroy_model()?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Scenario(ScenarioVerb::Run(arguments)) => scenario(&arguments, data),
        verb => in_model(&place::connect(model.as_deref(), data.as_deref())?, verb),
    }
}

fn add_model(arguments: AddModelArguments, data: Option<PathBuf>) -> Result<ExitCode> {
    let AddModelArguments {
        name,
        forward,
        pebble,
        update_status,
    } = arguments;
    let add = AddModel {
        name: name.clone(),
        folder: Some(place::new_model(&name, data)?),
        pebble,
        forwards: forward
            .iter()
            .map(|text| forms::forward(text))
            .collect::<Result<_>>()?,
        update_status: update_status.as_deref().map(forms::duration).transpose()?,
        detached: true,
    };
    Juju::add_model(add)?;
    print::note(&format!("Added {name:?} model on this machine"));
    Ok(ExitCode::SUCCESS)
}

fn scenario(arguments: &ScenarioArguments, data: Option<PathBuf>) -> Result<ExitCode> {
    let scenario = Scenario::read(&arguments.file)?;
    let folder = if arguments.keep {
        Some(place::new_model(scenario.model(), data)?)
    } else {
        data
    };
    let add = AddModel {
        folder,
        pebble: arguments.pebble.clone(),
        detached: arguments.keep,
        ..AddModel::default()
    };
    let people = arguments.format == OutputFormat::Tabular;
    let report = scenario.run(add, |step| {
        if people {
            let _ = print::line(&print::verdict(step));
        }
    })?;
    if !people {
        print::value(&serde_json::to_value(&report)?, arguments.format)?;
    } else if !report.passed {
        let end = report.log.join("\n");
        print::note(&format!("{}\nThe log ends:\n{end}", report.status));
    }
    Ok(if report.passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Verbs with an exit code of their own first.
fn in_model(juju: &Juju, verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Run(arguments) => return run::run(juju, &arguments),
        Verb::ShowTask { id, wait, format } => return run::show_task(juju, id, &wait, format),
        Verb::Exec { unit, words } => return exec(juju, &unit, &words),
        Verb::DebugLog(arguments) => return debug_log(juju, &arguments),
        Verb::Deploy(arguments) => deploy(juju, arguments)?,
        Verb::Config(arguments) => config(juju, arguments)?,
        Verb::Status {
            format: OutputFormat::Tabular,
            relations,
        } => status::print(&juju.status()?, relations)?,
        Verb::Status { format, .. } => print::value(&juju.ask(&Request::Status)?, format)?,
        Verb::WaitFor {
            unit,
            status,
            timeout,
        } => drop(juju.wait_for_unit(&unit, &status, forms::duration(&timeout)?)?),
        Verb::RemoveUnit { units } => units.iter().try_for_each(|unit| juju.remove_unit(unit))?,
        Verb::AddSecret { .. }
        | Verb::UpdateSecret { .. }
        | Verb::GrantSecret { .. }
        | Verb::RevokeSecret { .. }
        | Verb::RemoveSecret { .. }
        | Verb::Secrets { .. } => secret(juju, verb)?,
        other => plain(juju, other)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Verbs that only tell the controller something, and print what it answers, if anything.
fn plain(juju: &Juju, verb: Verb) -> Result<()> {
    let request = match verb {
        Verb::Integrate { one, other } => return Ok(juju.integrate(&one, &other)?),
        Verb::RemoveRelation { one, other } => Request::RemoveRelation { one, other },
        Verb::CancelTask { id } => Request::CancelTask { number: id },
        Verb::AddUnit {
            application,
            num_units,
            attach_storage,
        } => Request::AddUnit {
            application,
            count: num_units,
            attach_storage,
        },
        Verb::ScaleApplication { application, units } => {
            Request::ScaleApplication { application, units }
        }
        Verb::AttachStorage { unit, storage } => Request::AttachStorage { unit, storage },
        Verb::RemoveApplication { application } => Request::RemoveApplication { application },
        Verb::ShowUnit { unit } => Request::ShowUnit { unit },
        Verb::Resolved { unit, no_retry } => Request::Resolved {
            unit,
            retry: !no_retry,
        },
        Verb::Refresh { application, path } => {
            return Ok(juju.refresh(&application, path.as_deref())?);
        }
        Verb::Expose { unit, port } => Request::Expose { unit, port },
        Verb::SetDatabag {
            application,
            values,
            unit,
        } => Request::SetDatabag {
            application,
            unit,
            values: place::pairs(&values)?,
        },
        Verb::Fire { unit, hook } => Request::Fire { unit, hook },
        Verb::SetLeader { unit } => Request::SetLeader { unit },
        Verb::RotateSecret { secret } => Request::SecretDue {
            secret,
            expire: false,
        },
        Verb::ExpireSecret { secret } => Request::SecretDue {
            secret,
            expire: true,
        },
        Verb::ReplacePod { unit } => Request::ReplacePod { unit },
        Verb::RestartAgent { unit, disk_lost } => Request::RestartAgent { unit, disk_lost },
        Verb::KillContainer { unit, container } => Request::KillContainer { unit, container },
        Verb::RestartContainer { unit, container } => Request::RestartContainer { unit, container },
        Verb::KillCharm { unit } => Request::KillCharm { unit },
        Verb::DetachStorage { unit, storage } => Request::DetachStorage { unit, storage },
        Verb::Paths { unit } => Request::Paths { unit },
        _ => bail!("juju-sim does not implement this verb"),
    };
    match juju.ask(&request)? {
        Value::Null => Ok(()),
        Value::String(text) => print::line(&text),
        answer => print::value(&answer, OutputFormat::Yaml),
    }
}

fn deploy(juju: &Juju, arguments: DeployArguments) -> Result<()> {
    let DeployArguments {
        charm,
        application,
        config,
        resource,
        num_units,
        storage_delay,
        ..
    } = arguments;
    let name = if charm.is_file() {
        let text = std::fs::read_to_string(&charm)
            .with_context(|| format!("cannot read {}", charm.display()))?;
        juju.deploy_remote(&text, application.as_deref())?
    } else {
        let resources = place::pairs(&resource)?;
        juju.deploy(&Deploy {
            charm,
            application,
            config: place::settings(&config)?,
            resources: resources
                .into_iter()
                .map(|(name, file)| (name, PathBuf::from(file)))
                .collect(),
            units: Some(num_units),
            storage_delay: forms::duration(&storage_delay)?,
            allow_missing_images: false,
        })?
    };
    print::note(&format!("Deploying {name:?} from this machine"));
    Ok(())
}

fn config(juju: &Juju, arguments: ConfigArguments) -> Result<()> {
    let ConfigArguments {
        application,
        settings,
        reset,
        format,
    } = arguments;
    let (set, asked): (Vec<String>, Vec<String>) =
        settings.into_iter().partition(|word| word.contains('='));
    let shown = juju.ask(&Request::Config {
        application,
        set: place::settings(&set)?,
        reset,
    })?;
    match (asked.as_slice(), &shown) {
        (_, Value::Null) => Ok(()),
        ([], shown) => print::value(shown, format),
        ([name], shown) => match &shown["settings"][name.as_str()] {
            Value::Null => bail!(
                "key {name:?} not found in {} application config or charm settings",
                shown["application"]
            ),
            option => match &option["value"] {
                Value::String(text) => print::line(text),
                other => print::value(other, OutputFormat::Json),
            },
        },
        _ => bail!("can only retrieve a single value, or all values"),
    }
}

fn secret(juju: &Juju, verb: Verb) -> Result<()> {
    match verb {
        Verb::AddSecret {
            name,
            content,
            info,
        } => {
            let uri = juju.ask(&Request::AddSecret {
                name,
                content: place::secret_content(&content)?,
                info,
            })?;
            print::line(uri.as_str().unwrap_or_default())
        }
        Verb::UpdateSecret { name, content } => juju
            .ask(&Request::UpdateSecret {
                name,
                content: place::secret_content(&content)?,
            })
            .map(drop)
            .map_err(Into::into),
        Verb::GrantSecret { name, applications } => juju
            .ask(&Request::GrantSecret {
                name,
                applications,
                grant: true,
            })
            .map(drop)
            .map_err(Into::into),
        Verb::RevokeSecret { name, applications } => juju
            .ask(&Request::GrantSecret {
                name,
                applications,
                grant: false,
            })
            .map(drop)
            .map_err(Into::into),
        Verb::RemoveSecret { name } => juju
            .ask(&Request::RemoveSecret { name })
            .map(drop)
            .map_err(Into::into),
        Verb::Secrets { format } => print::value(&juju.ask(&Request::Secrets)?, format),
        _ => bail!("this verb is about no secret"),
    }
}

fn exec(juju: &Juju, unit: &str, words: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (code, stdout, stderr) = juju.exec(unit, &words)?;
    for (text, to_stderr) in [(stdout, false), (stderr, true)] {
        match (text.trim_end_matches('\n'), to_stderr) {
            ("", _) => {}
            (text, false) => print::line(text)?,
            (text, true) => print::note(text),
        }
    }
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn debug_log(juju: &Juju, arguments: &DebugLogArguments) -> Result<ExitCode> {
    let DebugLogArguments {
        no_tail,
        replay,
        include,
    } = arguments;
    let mut after = 0;
    let mut first = true;
    loop {
        let answer = juju.ask(&Request::DebugLog { after })?;
        let lines = answer.as_array().cloned().unwrap_or_default();
        let skip = if first && !*replay && !*no_tail {
            lines.len().saturating_sub(10)
        } else {
            0
        };
        for line in &lines[skip..] {
            let unit = line["unit"].as_str().unwrap_or_default();
            if include.is_empty()
                || include
                    .iter()
                    .any(|wanted| unit == wanted || unit.starts_with(&format!("{wanted}/")))
            {
                print::line(line["text"].as_str().unwrap_or_default())?;
            }
        }
        after = lines
            .last()
            .and_then(|line| line["number"].as_u64())
            .unwrap_or(after);
        first = false;
        if *no_tail {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(LOG_LOOK);
    }
}
