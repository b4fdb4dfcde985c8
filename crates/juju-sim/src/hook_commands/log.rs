//! `juju-log`, `juju-reboot`.

use super::arguments::Takes;
use super::{Call, CommandError, Output};
use crate::context::Purpose;

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
    call.silent(&[(&["now"], Takes::Nothing)])?;
    match call.context.purpose {
        Purpose::Action { .. } => Err(CommandError::refused(
            "juju-reboot is not supported when running an action.",
        )),
        _ => Err(CommandError::refused(
            "juju-sim does not implement juju-reboot",
        )),
    }
}
