//! Serves the hook commands of one run over the agent's socket.

use crate::context::HookContext;
use crate::controller::Controller;
use crate::hook_commands::{self, Answer, Request};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// The most that one request may hold.
const REQUEST_LIMIT_BYTES: u32 = 64 * 1024 * 1024;

pub(super) type Running = Arc<Mutex<Option<HookContext>>>;

/// The open socket of a run; it goes away with this.
#[derive(Debug)]
pub(super) struct Server {
    task: JoinHandle<()>,
    socket: PathBuf,
}

impl Server {
    pub(super) fn open(
        controller: &Arc<Controller>,
        running: &Running,
        socket: &Path,
        shared_root: bool,
    ) -> Result<Self> {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket)
            .with_context(|| format!("cannot listen at {}", socket.display()))?;
        let (controller, running) = (Arc::clone(controller), Arc::clone(running));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(
                    Arc::clone(&controller),
                    Arc::clone(&running),
                    stream,
                    shared_root,
                ));
            }
        });
        Ok(Self {
            task,
            socket: socket.to_owned(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn serve(
    controller: Arc<Controller>,
    running: Running,
    mut stream: UnixStream,
    shared_root: bool,
) {
    let caller = stream
        .peer_cred()
        .ok()
        .and_then(|credentials| credentials.pid());
    let root = match caller {
        Some(pid) if !shared_root => PathBuf::from(format!("/proc/{pid}/root")),
        _ => PathBuf::from("/"),
    };
    // A caller that went away, or that sent nonsense, gets no answer.
    while let Ok(Some((context, request))) = read(&mut stream, &root).await {
        let answer = answer(&controller, &running, &context, &request);
        controller.touch();
        if write(&mut stream, &answer).await.is_err() {
            return;
        }
    }
}

fn answer(controller: &Controller, running: &Running, context: &str, request: &Request) -> Answer {
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    match running.as_mut() {
        Some(current) if current.id == context => {
            hook_commands::run(&mut controller.model(), current, request)
        }
        current => {
            let expected = current
                .map(|current| current.id.clone())
                .unwrap_or_default();
            let stderr = format!(
                "ERROR bad request: wrong context ID: got {context:?}, expected {expected:?}\n"
            );
            Answer::Done {
                exit_code: 1,
                stdout: String::new(),
                stderr,
            }
        }
    }
}

async fn read(stream: &mut UnixStream, root: &Path) -> Result<Option<(String, Request)>> {
    let Ok(length) = stream.read_u32_le().await else {
        return Ok(None);
    };
    anyhow::ensure!(
        length <= REQUEST_LIMIT_BYTES,
        "a hook command sent {length} bytes"
    );
    let mut bytes = vec![0; usize::try_from(length)?];
    stream.read_exact(&mut bytes).await?;
    let mut fields = fields(&bytes)?.into_iter();
    let mut next = || fields.next().context("a hook command's request is short");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let context = text(next()?);
    let folder = PathBuf::from(text(next()?));
    let has_stdin = next()? == b"1";
    let stdin = next()?;
    let words = fields.map(text).collect();
    Ok(Some((
        context,
        Request {
            words,
            stdin: has_stdin.then_some(stdin),
            folder,
            root: root.to_owned(),
        },
    )))
}

fn fields(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length))?;
        let (field, rest) = rest
            .split_at_checked(length)
            .context("a hook command's request is cut off")?;
        all.push(field.to_vec());
        bytes = rest;
    }
    Ok(all)
}

async fn write(stream: &mut UnixStream, answer: &Answer) -> Result<()> {
    let (head, stdout, stderr) = match answer {
        Answer::NeedsStdin => ([1, 0], "", ""),
        Answer::Done {
            exit_code,
            stdout,
            stderr,
        } => ([0, *exit_code], stdout.as_str(), stderr.as_str()),
    };
    let mut bytes = head.to_vec();
    for field in [stdout, stderr] {
        bytes.extend(u32::try_from(field.len())?.to_le_bytes());
        bytes.extend(field.as_bytes());
    }
    stream.write_all(&bytes).await?;
    Ok(())
}
