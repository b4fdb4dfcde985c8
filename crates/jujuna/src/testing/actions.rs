//! What the hook commands for actions answer.

use super::arguments::{Arguments, done, refused, usage};
use super::commands::print;
use super::fake::Model;
use crate::HookOutput;

/// Answers a hook command of actions; `None` for one that the fake does not know.
pub(super) fn answer(model: &mut Model, name: &str, arguments: &Arguments) -> Option<HookOutput> {
    let Some(params) = &model.pending.action else {
        return Some(refused("not running an action"));
    };
    match name {
        "action-get" => return Some(print(params)),
        "action-log" => model.action_log.push(arguments.words.join(" ")),
        "action-fail" if arguments.words.len() > 1 => {
            return Some(usage(&format!(
                "unrecognized args: {:?}",
                &arguments.words[1..]
            )));
        }
        "action-fail" => {
            let message = arguments
                .word(0)
                .unwrap_or("action failed without reason given, check action for errors");
            model.action_failure = Some(message.to_owned());
        }
        "action-set" => {
            for word in &arguments.words {
                let Some((key, value)) = word.split_once('=') else {
                    return Some(usage(&format!(
                        "argument {word:?} must be of the form key...=value"
                    )));
                };
                model
                    .action_results
                    .insert(key.to_owned(), value.to_owned());
            }
        }
        _ => return None,
    }
    Some(done(""))
}
