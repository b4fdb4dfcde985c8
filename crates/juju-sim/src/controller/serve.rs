//! The controller's process: its folder, its socket, its end.

use super::Controller;
use crate::hook_commands;
use crate::model::Model;
use crate::pod::Forward;
use crate::protocol::{Reply, Request};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

/// What a controller is started with.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) model: String,
    pub(crate) folder: PathBuf,
    pub(crate) pebble: Option<PathBuf>,
    pub(crate) forwards: Vec<Forward>,
    pub(crate) update_status: Option<Duration>,
    /// End when the process that started this one ends.
    pub(crate) die_with_parent: bool,
}

/// Serves the model until it is destroyed or the process is told to end.
pub(crate) fn run(options: Options) -> Result<()> {
    if options.die_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
            .context("cannot ask to end with the parent")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<()> {
    let socket = options.folder.join("controller.sock");
    let tools = options.folder.join("tools");
    link_tools(&tools)?;
    let (changes, _) = watch::channel(0);
    let listener = UnixListener::bind(&socket)
        .with_context(|| format!("cannot listen at {}", socket.display()))?;
    let controller = Arc::new(Controller {
        model: Mutex::new(Model::new(&options.model)),
        changes,
        folder: options.folder,
        tools,
        pebble: options.pebble,
        forwards: options.forwards,
        units: Mutex::new(BTreeMap::new()),
        end: Notify::new(),
    });
    if let Some(interval) = options.update_status {
        tokio::spawn(update_status(Arc::clone(&controller), interval));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.context("cannot accept a client")?;
                tokio::spawn(talk(Arc::clone(&controller), stream));
            }
            () = controller.end.notified() => break,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    controller.end_all().await;
    for left in ["tools", "u", "storage"] {
        let _ = std::fs::remove_dir_all(controller.folder.join(left));
    }
    let _ = std::fs::remove_file(controller.folder.join("controller.log"));
    // Last: who destroys a model waits for this file to go.
    let _ = std::fs::remove_file(&socket);
    let _ = std::fs::remove_dir(&controller.folder);
    Ok(())
}

async fn update_status(controller: Arc<Controller>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        for unit in controller.model().units.values_mut() {
            unit.agent.update_status = true;
        }
        controller.touch();
    }
}

async fn talk(controller: Arc<Controller>, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let request = serde_json::from_str::<Request>(&line).context("cannot read the request");
        let last = matches!(request, Ok(Request::Destroy));
        let outcome = match request {
            Ok(request) => controller.answer(request).await,
            Err(error) => Err(error),
        };
        controller.touch();
        let reply = match outcome {
            Ok(value) => Reply::Done(value),
            Err(error) => Reply::Refused(format!("{error:#}")),
        };
        let mut text = serde_json::to_string(&reply).unwrap_or_default();
        text.push('\n');
        let sent = write.write_all(text.as_bytes()).await;
        if last {
            controller.end.notify_one();
        }
        if sent.is_err() {
            return;
        }
    }
}

/// One program under every command's name, as Juju has it.
fn link_tools(tools: &Path) -> Result<()> {
    let program = std::env::current_exe()
        .context("cannot find this program")?
        .with_file_name("juju-sim-hook");
    std::fs::create_dir_all(tools).with_context(|| format!("cannot make {}", tools.display()))?;
    let copy = tools.join("juju-sim-hook");
    std::fs::copy(&program, &copy).with_context(|| {
        format!(
            "cannot copy {} (it is built beside juju-sim)",
            program.display()
        )
    })?;
    for name in hook_commands::names().chain(["jujuc"]) {
        symlink("juju-sim-hook", tools.join(name))
            .with_context(|| format!("cannot link {name}"))?;
    }
    Ok(())
}
