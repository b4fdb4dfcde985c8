//! Prints the logs of services and goes on with what they write, also when Pebble is restarted.
//!
//! `PEBBLE_SOCKET=... cargo run -p pebble-client --example tail-logs -- web`

#[path = "support/socket.rs"]
mod socket;

use std::io::Write;
use std::process::ExitCode;

use pebble_client::Client;

/// How many lines of each time before are shown.
const OLD_LINES: u32 = 30;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a command line program"
)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let services: Vec<String> = std::env::args().skip(1).collect();
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    let mut tail = Client::new(socket::path()).tail_logs(&services, OLD_LINES);
    loop {
        let entry = match tail.next().await {
            Ok(entry) => entry,
            Err(error) => {
                eprintln!("{}", socket::chain(&error));
                return ExitCode::FAILURE;
            }
        };
        let (time, service, message) = (entry.time, entry.service, entry.message);
        // Nobody reads it any more: that is how such a program is ended.
        if writeln!(std::io::stdout(), "{time:.3} [{service}] {message}").is_err() {
            return ExitCode::SUCCESS;
        }
    }
}
