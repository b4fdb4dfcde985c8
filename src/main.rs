//! The program that `dispatch` starts.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(synapse_charm::run())
}
