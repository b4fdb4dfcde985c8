//! An async client of the API of [Pebble](https://documentation.ubuntu.com/pebble/), the service manager that Juju
//! puts into each workload container: services and changes, plan and layers, checks and health, files, notices,
//! logs, and exec with streams.
//!
//! - Everything begins at [`Client`]; `Client::new` does no I/O.
//! - A call that only begins something returns a [`ChangeId`]; [`Client::wait_change`] tells how it ended.
//! - [`Client::exec`] runs a command; [`Process`] tells what dropping it means.
//! - [`Error::kind`] is what code branches on; the chain of sources is what a person reads.
//!
//! No task is spawned and nothing is buffered without a bound: streams move as fast as they are read.
//!
//! # Example
//!
//! ```no_run
//! // no_run: needs a daemon
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pebble_client::Client;
//!
//! let client = Client::new("/charm/containers/synapse/pebble.socket");
//! let output = client.exec(["python3", "--version"]).output().await?;
//! assert!(output.status.success());
//! # Ok(())
//! # }
//! ```

mod base64;
mod changes;
mod checks;
mod client;
mod duration;
mod envelope;
mod error;
mod exec;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod identities;
mod logs;
mod metrics;
mod notices;
mod open_enum;
mod plan;
mod query;
mod services;
mod signals;
mod system_info;
mod transport;
mod wait;

pub use changes::{Change, ChangeId, ChangeSelect, ChangeStatus, Progress, Task};
pub use checks::{CheckFilter, CheckInfo, CheckLevel, CheckRefresh, CheckStatus};
pub use client::Client;
pub use error::{ConnectFailure, Error, ErrorKind};
pub use exec::exit_status::ExitStatus;
pub use exec::output::ExecOutput;
pub use exec::process::Process;
pub use exec::stdin::Stdin;
pub use exec::streams::{ProcessStderr, ProcessStdin, ProcessStdout};
pub use exec::{ExecBuilder, OnDrop, TerminalSize};
pub use files::pull::Pull;
pub use files::push::WriteFile;
pub use files::{FileInfo, FileType, ListOptions, MakeDir};
pub use identities::{Identity, IdentityAccess, IdentityInfo};
pub use logs::tail::LogTail;
pub use logs::{LogEntry, LogStream};
pub use metrics::{Metric, MetricKind, Sample};
pub use notices::stream::NoticeStream;
pub use notices::{Notice, NoticeFilter, NoticeType};
pub use plan::entries::{
    Check, CheckExec, CheckHttp, CheckTcp, LogTarget, Override, Service, ServiceAction,
};
pub use plan::layer::{Environment, Layer, Unknown};
pub use plan::{LayerMode, LayerOptions};
pub use services::{ServiceInfo, ServiceStatus, Startup};
pub use system_info::SystemInfo;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
