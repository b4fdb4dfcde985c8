//! `juju-log`, and `tracing` on top of it.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::juju::shorten;
use crate::{Error, ErrorKind, HookCommand, HookTools, Juju};

/// How much a line of the log matters, in Juju's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Of use to the charm's authors only.
    Trace,
    /// Of use when something is looked into.
    Debug,
    /// What happened.
    Info,
    /// What may need a look.
    Warning,
    /// What went wrong.
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

impl Juju {
    /// Writes a line to the model's log, at once. Nothing secret belongs there.
    ///
    /// A text over 120 KiB is cut.
    ///
    /// # Errors
    ///
    /// Returns an error when Juju does not take it.
    pub fn juju_log(&self, level: Level, text: &str) -> Result<(), Error> {
        self.run(&juju_log(level, text), &|| "write to the log".to_owned())
            .map(drop)
    }
}

fn juju_log(level: Level, text: &str) -> HookCommand {
    HookCommand::new("juju-log")
        .args(["--log-level", level.word()])
        .text(&shorten(text))
}

/// Sends what `tracing` records to `juju-log`, for the whole process.
///
/// What is more detailed than `most_detailed` costs nothing: it is dropped before a process is started. `INFO` is a good
/// choice, as each line costs about 5 ms.
///
/// # Errors
///
/// Returns [`ErrorKind::Usage`] when there is such a subscriber already.
///
/// # Example
///
/// ```
/// use jujuna::testing::{FakeJuju, State};
/// use tracing::level_filters::LevelFilter;
///
/// let fake = FakeJuju::new(State::new("hello/0"));
/// jujuna::log::init(fake.clone(), LevelFilter::INFO)?;
/// tracing::debug!("not sent");
/// tracing::info!(users = 3, "restored");
/// assert_eq!(fake.log_lines(), ["INFO restored users=3"]);
/// # Ok::<(), jujuna::Error>(())
/// ```
pub fn init<T>(tools: T, most_detailed: LevelFilter) -> Result<(), Error>
where
    T: HookTools + Send + Sync + 'static,
{
    let layer = JujuLog { tools }.with_filter(most_detailed);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).map_err(
        |error| {
            Error::with_source(
                ErrorKind::Usage,
                "cannot send the log to juju-log twice",
                error,
            )
        },
    )
}

struct JujuLog<T> {
    tools: T,
}

impl<S: Subscriber, T: HookTools + 'static> Layer<S> for JujuLog<T> {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::TRACE => Level::Trace,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::INFO => Level::Info,
            tracing::Level::WARN => Level::Warning,
            tracing::Level::ERROR => Level::Error,
        };
        let mut line = Line::default();
        event.record(&mut line);
        let text = line.text();
        let taken = self.tools.call(&juju_log(level, &text));
        if !taken.is_ok_and(|output| output.success()) {
            // The agent logs what a charm writes to stderr; there is no other way left to be heard.
            let _ = writeln!(std::io::stderr(), "{} {text}", level.word());
        }
    }
}

/// One line: the message, then the fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn text(self) -> String {
        format!("{}{}", self.message, self.fields)
            .trim_start()
            .to_owned()
    }

    fn push(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            self.message.write_fmt(value)
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.push(field, format_args!("{value}"));
        let mut source = value.source();
        while let Some(error) = source {
            self.push(field, format_args!("{error}"));
            source = error.source();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format_args!("{value:?}"));
    }
}
