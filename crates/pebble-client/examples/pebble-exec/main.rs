//! Runs a command in a workload like `pebble exec`, terminal included.
//!
//! `PEBBLE_SOCKET=... cargo run -p pebble-client --example pebble-exec -- ls -l /`

mod options;
#[path = "../support/socket.rs"]
mod socket;
mod terminal;

use std::process::ExitCode;

use options::Options;
use pebble_client::{Client, Error, ExecBuilder, Process, Stdin};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is passed on to the command, by number and name.
const SIGNALS: [(i32, &str); 10] = [
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (6, "SIGABRT"),
    (10, "SIGUSR1"),
    (12, "SIGUSR2"),
    (15, "SIGTERM"),
    (18, "SIGCONT"),
    (20, "SIGTSTP"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
];

#[expect(clippy::disallowed_methods, reason = "a command line program")]
fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => return complain(&format!("{error}\n{}", options::USAGE)),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.to_string()),
    };
    let result = runtime.block_on(run(&Client::new(socket::path()), options));
    // The thread that reads the standard input may be in the middle of that, and is not waited for.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => complain(&socket::chain(&error)),
    }
}

async fn run(client: &Client, options: Options) -> Result<ExitCode, Error> {
    let in_terminal = options.terminal.unwrap_or_else(terminal::stdout_is_one);
    let interactive = in_terminal
        && options
            .interactive
            .unwrap_or_else(|| terminal::stdin_is_one() && terminal::stdout_is_one());
    let stdin = Stdin::stream(tokio::io::stdin());
    let mut exec = described(client, options).stdin(stdin);
    if in_terminal {
        exec = if interactive {
            exec.interactive(terminal::size())
        } else {
            exec.terminal(terminal::size())
        };
    } else if terminal::outputs_are_one() {
        exec = exec.combine_stderr();
    }
    let mut process = exec.spawn().await?;
    let _raw = interactive.then(terminal::RawMode::enter).flatten();
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    let (code, (), ()) = tokio::join!(
        end_of(&mut process, in_terminal),
        pass_on(stdout, tokio::io::stdout()),
        pass_on(stderr, tokio::io::stderr())
    );
    code
}

#[expect(clippy::disallowed_methods, reason = "a command line program")]
fn described(client: &Client, options: Options) -> ExecBuilder {
    let mut exec = client.exec(options.command);
    if let Ok(term) = std::env::var("TERM") {
        exec = exec.environment("TERM", term);
    }
    for (name, value) in options.environment {
        exec = exec.environment(name, value);
    }
    if let Some(directory) = options.working_dir {
        exec = exec.working_dir(directory);
    }
    if let Some(user_id) = options.user_id {
        exec = exec.user_id(user_id);
    }
    if let Some(user) = options.user {
        exec = exec.user(&user);
    }
    if let Some(group_id) = options.group_id {
        exec = exec.group_id(group_id);
    }
    if let Some(group) = options.group {
        exec = exec.group(&group);
    }
    if let Some(timeout) = options.timeout {
        exec = exec.timeout(timeout);
    }
    if let Some(service) = options.context {
        exec = exec.service_context(&service);
    }
    exec
}

/// Waits for the command, and passes signals and new sizes on meanwhile.
async fn end_of(process: &mut Process, in_terminal: bool) -> Result<ExitCode, Error> {
    let mut signals: Vec<(Signal, &str)> = SIGNALS
        .iter()
        .filter_map(|(number, name)| Some((signal(SignalKind::from_raw(*number)).ok()?, *name)))
        .collect();
    let mut hangup = signal(SignalKind::hangup()).ok();
    let mut resized = signal(SignalKind::window_change()).ok();
    let status = loop {
        tokio::select! {
            status = process.wait() => break status?,
            name = first_of(&mut signals) => process.signal(name).await?,
            () = come(&mut resized) => if in_terminal {
                process.resize(terminal::size()).await?;
            },
            () = come(&mut hangup) => return Ok(ExitCode::SUCCESS),
        }
    };
    Ok(match status.code().map(u8::try_from) {
        Some(Ok(code)) => ExitCode::from(code),
        _ => complain(process.failure().unwrap_or(&status.to_string())),
    })
}

async fn come(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

async fn first_of(signals: &mut [(Signal, &'static str)]) -> &'static str {
    std::future::poll_fn(|context| {
        for (signal, name) in &mut *signals {
            if signal.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(*name);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// What cannot be passed on is lost; the exit code tells what matters.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, mut to: impl AsyncWrite + Unpin) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 128 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // What a person sees shall not wait for more to come.
        if to.write_all(&buffer[..count]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command line program")]
fn complain(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
