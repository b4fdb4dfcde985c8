//! Starts processes that must not outlive this one.
//!
//! The kernel ends a process that asked for it (bubblewrap's `--die-with-parent`) when the *thread* that started it ends, not when
//! the process does. Threads of a pool come and go, so one thread that lives as long as the process starts all of them.

use std::sync::{OnceLock, mpsc};

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Birth {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<std::io::Result<Child>>,
}

static NURSERY: OnceLock<mpsc::Sender<Birth>> = OnceLock::new();

/// Starts a command that has `--die-with-parent` (one of [`super::Pod::charm_command`], for example) so that it
/// dies with this process, and only with it.
///
/// # Errors
/// When the program cannot be started.
pub async fn spawn(command: Command) -> anyhow::Result<Child> {
    let program = command.as_std().get_program().to_owned();
    let (reply, child) = oneshot::channel();
    let birth = Birth {
        command,
        runtime: Handle::current(),
        reply,
    };
    nursery()
        .send(birth)
        .context("the thread that starts processes has ended")?;
    (child
        .await
        .context("the thread that starts processes has ended")?)
    .with_context(|| format!("cannot start {}", program.display()))
}

fn nursery() -> &'static mpsc::Sender<Birth> {
    NURSERY.get_or_init(|| {
        let (sender, births) = mpsc::channel::<Birth>();
        std::thread::spawn(move || {
            for Birth {
                mut command,
                runtime,
                reply,
            } in births
            {
                let _entered = runtime.enter();
                let child = command.spawn();
                // Its pipes to the child must be closed before anybody waits for their end.
                drop(command);
                // A child nobody waits for any more is dropped, and killed if it was marked so.
                drop(reply.send(child));
            }
        });
        sender
    })
}
