//! The command line, with the options of `pebble exec`.

use std::time::Duration;

pub(crate) const USAGE: &str = "\
usage: pebble-exec [-w DIR] [--env NAME=VALUE]... [--uid ID] [--user NAME] [--gid ID] [--group NAME]
                   [--timeout DURATION] [--context SERVICE] [-t|-T] [-i|-I] [--] COMMAND [ARGUMENT]...

  -t, -T  with or without a terminal; with one if the standard output is a terminal
  -i, -I  with or without the input in that terminal; with it if input and output are terminals

Pebble's socket is $PEBBLE_SOCKET or $PEBBLE/.pebble.socket.";

/// What was asked for; `None` where nothing was said.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) working_dir: Option<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) user_id: Option<u32>,
    pub(crate) user: Option<String>,
    pub(crate) group_id: Option<u32>,
    pub(crate) group: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) context: Option<String>,
    pub(crate) terminal: Option<bool>,
    pub(crate) interactive: Option<bool>,
    pub(crate) command: Vec<String>,
}

pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if !word.starts_with('-') || word == "-" {
            options.command.push(word);
            break;
        }
        if word == "--" {
            break;
        }
        let (name, given) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        match name.as_str() {
            "-t" => options.terminal = Some(true),
            "-T" => options.terminal = Some(false),
            "-i" => options.interactive = Some(true),
            "-I" => options.interactive = Some(false),
            _ => {
                let value = given.or_else(|| words.next());
                let value = value.ok_or_else(|| format!("{name} needs a value"))?;
                take(&mut options, &name, value)?;
            }
        }
    }
    options.command.extend(words);
    if options.command.is_empty() {
        return Err(String::from("there is no command"));
    }
    Ok(options)
}

fn take(options: &mut Options, name: &str, value: String) -> Result<(), String> {
    let number = |value: &str| value.parse().map_err(|_| format!("{value} is no id"));
    match name {
        "-w" => options.working_dir = Some(value),
        "--env" => {
            let (name, value) = value.split_once('=').unwrap_or((&value, ""));
            options
                .environment
                .push((name.to_owned(), value.to_owned()));
        }
        "--uid" => options.user_id = Some(number(&value)?),
        "--user" => options.user = Some(value),
        "--gid" => options.group_id = Some(number(&value)?),
        "--group" => options.group = Some(value),
        "--timeout" => options.timeout = Some(duration(&value)?),
        "--context" => options.context = Some(value),
        _ => return Err(format!("there is no option {name}")),
    }
    Ok(())
}

/// Reads one number and its unit: `10s`, `1.5h`, `300ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is no duration");
    let end = text
        .find(|character: char| character.is_ascii_alphabetic())
        .ok_or_else(wrong)?;
    let number: f64 = text[..end].parse().map_err(|_| wrong())?;
    let seconds = match &text[end..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}
