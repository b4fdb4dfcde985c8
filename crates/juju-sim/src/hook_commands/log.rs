//! `juju-log`, `juju-reboot`.

use super::arguments::Takes;
use super::{Call, CommandError, Output};
use crate::context::Purpose;
use rustix::process::{Pid, Signal, kill_process};

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

pub(super) fn write(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[
        (&["debug"], Takes::Nothing),
        (&["l", "log-level"], Takes::Value),
        (&["format"], Takes::Value),
    ])?;
    if arguments.words.is_empty() {
        return Err(CommandError::usage("no message specified"));
    }
    let unit = call.context.unit.to_string();
    let given = arguments
        .option("log-level")
        .unwrap_or("INFO")
        .to_ascii_uppercase();
    let level = if arguments.is_set("debug") {
        "DEBUG"
    } else {
        LEVELS
            .into_iter()
            .find(|level| *level == given)
            .unwrap_or("INFO")
    };
    let module = format!("unit.{unit}.juju-log");
    if !LEVELS.contains(&given.as_str()) {
        call.model.log.write(
            &unit,
            "WARNING",
            &module,
            &format!("Specified log level of {given:?} is not valid, using INFO"),
        );
    }
    let prefix = call
        .context
        .relation()
        .map(|hook| format!("{}:{}: ", hook.endpoint, hook.id))
        .unwrap_or_default();
    call.model.log.write(
        &unit,
        level,
        &module,
        &format!("{prefix}{}", arguments.words.join(" ")),
    );
    Ok(String::new())
}

pub(super) fn reboot(call: &mut Call<'_>) -> Output {
    let arguments = call.silent(&[(&["now"], Takes::Nothing)])?;
    arguments.at_most(0)?;
    if matches!(call.context.purpose, Purpose::Action { .. }) {
        return Err(CommandError::refused(
            "juju-reboot is not supported when running an action.",
        ));
    }
    call.context.reboot = true;
    if arguments.is_set("now") {
        let process = call.context.process.and_then(|pid| i32::try_from(pid).ok());
        if let Some(process) = process.and_then(Pid::from_raw) {
            let _ = kill_process(process, Signal::KILL);
        }
    }
    Ok(String::new())
}
