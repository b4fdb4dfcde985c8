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
///
/// [`Juju::juju_log`](crate::Juju::juju_log) has an example.
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
    ///
    /// # Example
    ///
    /// ```
    /// # use jujuna::{Juju, Level, testing::{FakeJuju, State}};
    /// let fake = FakeJuju::new(State::new("hello/0"));
    /// Juju::new(Box::new(fake.clone())).juju_log(Level::Warning, "the disk is nearly full")?;
    /// assert_eq!(fake.log_lines(), ["WARNING the disk is nearly full"]);
    /// # Ok::<(), jujuna::Error>(())
    /// ```
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

/// Sends what `tracing` records to `juju-log`, for the whole process: what happened, not the details.
///
/// What is more detailed than INFO costs nothing: it is dropped before a process is started. Each line that is sent costs
/// about 5 ms.
///
/// # Errors
///
/// Returns [`ErrorKind::Usage`] when there is such a subscriber already.
///
/// # Example
///
/// ```
/// use jujuna::testing::{FakeJuju, State};
///
/// let fake = FakeJuju::new(State::new("hello/0"));
/// jujuna::log::init(fake.clone())?;
/// tracing::debug!("not sent");
/// tracing::info!(users = 3, "restored");
/// assert_eq!(fake.log_lines(), ["INFO restored users=3"]);
/// # Ok::<(), jujuna::Error>(())
/// ```
pub fn init<T: HookTools + Send + Sync + 'static>(tools: T) -> Result<(), Error> {
    init_at(tools, LevelFilter::INFO)
}

/// The same, up to a level of detail that the charm chooses, such as by an option.
///
/// # Errors
///
/// As of [`init`].
///
/// # Example
///
/// ```
/// use tracing::level_filters::LevelFilter;
///
/// # use jujuna::testing::{FakeJuju, State};
/// let fake = FakeJuju::new(State::new("hello/0"));
/// jujuna::log::init_at(fake.clone(), LevelFilter::DEBUG)?;
/// tracing::debug!("sent this time");
/// assert_eq!(fake.log_lines(), ["DEBUG sent this time"]);
/// # Ok::<(), jujuna::Error>(())
/// ```
pub fn init_at<T>(tools: T, most_detailed: LevelFilter) -> Result<(), Error>
where
    T: HookTools + Send + Sync + 'static,
{
    tracing::subscriber::set_global_default(subscriber(tools, most_detailed)).map_err(|error| {
        let text = "cannot send the log to juju-log twice";
        Error::with_source(ErrorKind::Usage, text, error)
    })
}

/// Returns the subscriber that [`init_at`] installs, for use on a single thread.
///
/// # Example
///
/// ```
/// use tracing::level_filters::LevelFilter;
///
/// # use jujuna::testing::{FakeJuju, State};
/// let fake = FakeJuju::new(State::new("hello/0"));
/// tracing::subscriber::with_default(jujuna::log::subscriber(fake.clone(), LevelFilter::INFO), || {
///     tracing::warn!("only here");
/// });
/// assert_eq!(fake.log_lines(), ["WARNING only here"]);
/// ```
pub fn subscriber<T>(tools: T, most_detailed: LevelFilter) -> impl Subscriber + Send + Sync
where
    T: HookTools + Send + Sync + 'static,
{
    tracing_subscriber::registry().with(JujuLog { tools }.with_filter(most_detailed))
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
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        self.push(field, format_args!("{text}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format_args!("{value:?}"));
    }
}
