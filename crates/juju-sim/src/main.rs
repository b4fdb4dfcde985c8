//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    juju_sim::main()
}
