//! The command line: Juju's verbs, and those of a test.

mod arguments;
mod place;
mod print;
mod run;
mod status;
mod verbs;

use arguments::Arguments;
use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;

/// Runs the program with this process's arguments; returns its exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match verbs::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}
