//! Runs a command in a workload and passes on its output and exit code.
//!
//! `cargo run -p pebble-client --example exec -- /charm/containers/synapse/pebble.socket ls -l /`

use std::process::ExitCode;

use pebble_client::{Client, Error};
use tokio::io::{AsyncRead, AsyncWrite};

#[expect(clippy::disallowed_methods, reason = "a command line program")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(socket) = words.next() else {
        return complain("usage: exec SOCKET COMMAND [ARGUMENT]...");
    };
    match run(&Client::new(socket), words.collect()).await {
        Ok(code) => code,
        Err(error) => complain(&chain(&error)),
    }
}

async fn run(client: &Client, command: Vec<String>) -> Result<ExitCode, Error> {
    let mut process = client.exec(command).spawn().await?;
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    let (status, ()) = tokio::join!(process.wait(), async {
        tokio::join!(
            pass_on(stdout, tokio::io::stdout()),
            pass_on(stderr, tokio::io::stderr())
        );
    });
    let status = status?;
    match status.code().map(u8::try_from) {
        Some(Ok(code)) => Ok(ExitCode::from(code)),
        _ => Ok(complain(&status.to_string())),
    }
}

/// What cannot be passed on is lost; the exit code tells what matters.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, mut to: impl AsyncWrite + Unpin) {
    if let Some(mut from) = from {
        let _ = tokio::io::copy(&mut from, &mut to).await;
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[expect(clippy::print_stderr, reason = "a command line program")]
fn complain(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
