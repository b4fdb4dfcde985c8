//! A relay before the socket of a container's Pebble: it sees which steps of a long job the charm writes to the job's
//! journal, and stops the charm's requests between two of them, so that something can be killed there.
//!
//! Include it by `#[path = "support/pebble_relay.rs"] mod pebble_relay;`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "no test uses all of it, and a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The journal of long jobs, on the volume.
const JOURNAL: &str = ".synapse-charm/journal.json";

/// Where in a job the requests are stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// The journal says this step, and nothing of it has been done.
    Before(String),
    /// All of this step has been done, and the journal still says it.
    After(String),
}

/// What a request does to the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Step(String),
    Removed,
}

/// A relay in the place of a socket.
///
/// Dropping it ends all connections through it and puts the socket back.
#[derive(Debug)]
pub struct PebbleRelay {
    socket: PathBuf,
    /// Where Pebble itself listens meanwhile.
    real: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    point: Option<Point>,
    /// No request passes any more.
    stopped: bool,
    reached: bool,
    closed: bool,
    connections: BTreeMap<u64, [UnixStream; 2]>,
    next_connection: u64,
}

impl PebbleRelay {
    /// Takes the place of the socket; only listens until a point is set.
    pub fn before(socket: &Path) -> Self {
        let (real, new) = (
            socket.with_extension("real"),
            socket.with_extension("relay"),
        );
        for leftover in [&real, &new] {
            let _ = fs::remove_file(leftover);
        }
        let listener = UnixListener::bind(&new).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o666)).unwrap();
        // There is a socket at every moment.
        fs::hard_link(socket, &real).unwrap();
        fs::rename(&new, socket).unwrap();
        let shared = Arc::new(Shared::default());
        let (to, accepting) = (real.clone(), shared.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.lock().closed {
                    return;
                }
                let (to, shared) = (to.clone(), accepting.clone());
                thread::spawn(move || serve(client, &to, &shared));
            }
        });
        Self {
            socket: socket.to_owned(),
            real,
            shared,
        }
    }

    /// Stops all requests at a point, which is met once.
    pub fn stop_at(&self, point: Point) {
        self.shared.lock().point = Some(point);
    }

    /// Lets all pass again, up to another point if there is one.
    pub fn go_on(&self, to: Option<Point>) {
        let mut state = self.shared.lock();
        (state.point, state.reached, state.stopped) = (to, false, false);
        self.shared.changed.notify_all();
    }

    /// Waits until the point is reached or `over` says that it never will be; says which.
    pub fn reaches(&self, deadline: Duration, mut over: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + deadline;
        let mut state = self.shared.lock();
        while !state.reached {
            assert!(Instant::now() < deadline, "{:?}", state.entries);
            let look = Duration::from_millis(20);
            (state, _) = self.shared.changed.wait_timeout(state, look).unwrap();
            if !state.reached {
                drop(state);
                if over() {
                    return false;
                }
                state = self.shared.lock();
            }
        }
        true
    }

    /// Lets go of Pebble's own socket: Pebble is about to be killed, and the next one makes a new one.
    pub fn let_go(&self) {
        fs::remove_file(&self.real).unwrap();
    }

    /// What was done to the journal so far, or would have been.
    pub fn entries(&self) -> Vec<Entry> {
        self.shared.lock().entries.clone()
    }
}

impl Drop for PebbleRelay {
    fn drop(&mut self) {
        // A Pebble that was started anew has taken its place back.
        let ours = UnixStream::connect(&self.socket).ok();
        let mut state = self.shared.lock();
        state.closed = true;
        for connection in state.connections.values() {
            for stream in connection {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.shared.changed.notify_all();
        drop(ours);
        if fs::metadata(&self.real).is_ok() {
            let _ = fs::rename(&self.real, &self.socket);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns whether a request may pass; waits where none may.
    fn pass(&self) -> bool {
        let mut state = self.lock();
        while state.stopped && !state.closed {
            state = self.changed.wait(state).unwrap();
        }
        !state.closed
    }

    /// Notes what a request does to the journal; returns whether its answer is the point.
    fn meet(&self, entry: Entry) -> bool {
        let mut state = self.lock();
        if state.stopped {
            return false;
        }
        let last = state.entries.last().cloned();
        let before = state.point.as_ref().is_some_and(|point| {
            matches!((point, &entry), (Point::Before(wanted), Entry::Step(step)) if step == wanted)
        });
        let after = state.point.as_ref().is_some_and(|point| {
            matches!((point, &last), (Point::After(wanted), Some(Entry::Step(step))) if step == wanted)
                && last.as_ref() != Some(&entry)
        });
        state.stopped = before || after;
        state.entries.push(entry);
        if after {
            state.reached = true;
            self.changed.notify_all();
        }
        before
    }

    fn reach(&self) {
        self.lock().reached = true;
        self.changed.notify_all();
    }

    fn register(&self, streams: [UnixStream; 2]) -> u64 {
        let mut state = self.lock();
        let number = state.next_connection;
        state.next_connection += 1;
        state.connections.insert(number, streams);
        number
    }
}

fn serve(client: UnixStream, real: &Path, shared: &Arc<Shared>) {
    let Ok(server) = UnixStream::connect(real) else {
        return;
    };
    let clone = |stream: &UnixStream| stream.try_clone().unwrap();
    let number = shared.register([clone(&client), clone(&server)]);
    let is_point = Arc::new(Mutex::new(false));
    let downwards = {
        let (server, client) = (clone(&server), clone(&client));
        let (shared, is_point) = (shared.clone(), is_point.clone());
        thread::spawn(move || answers(server, client, &shared, &is_point))
    };
    requests(client, server, shared, &is_point);
    let _ = downwards.join();
    shared.lock().connections.remove(&number);
}

/// Passes what Pebble says.
fn answers(
    mut server: UnixStream,
    mut client: UnixStream,
    shared: &Shared,
    is_point: &Mutex<bool>,
) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = server.read(&mut piece) {
        if client.write_all(&piece[..length]).is_err() {
            break;
        }
        if std::mem::take(&mut *is_point.lock().unwrap()) {
            shared.reach();
        }
    }
    let _ = client.shutdown(Shutdown::Write);
}

/// Passes what the client says, each request as a whole.
fn requests(
    mut client: UnixStream,
    mut server: UnixStream,
    shared: &Shared,
    is_point: &Mutex<bool>,
) {
    let mut unread = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    let mut upgraded = false;
    loop {
        while upgraded && !unread.is_empty() || length_of_request(&unread).is_some() {
            let length = length_of_request(&unread).filter(|_| !upgraded);
            let request: Vec<u8> = unread.drain(..length.unwrap_or(unread.len())).collect();
            upgraded |= head_of(&request).contains("\r\nupgrade:");
            let last = entry_of(&request).is_some_and(|entry| shared.meet(entry));
            if last {
                *is_point.lock().unwrap() = true;
            }
            if !(last || shared.pass()) || server.write_all(&request).is_err() {
                return;
            }
        }
        match client.read(&mut piece) {
            Ok(length @ 1..) => unread.extend_from_slice(&piece[..length]),
            _ => break,
        }
    }
    // A client that has gone is gone for Pebble too, unless nothing may reach it.
    if shared.pass() {
        let _ = server.shutdown(Shutdown::Write);
    }
}

/// The head of a request in small letters, as far as it is there.
fn head_of(request: &[u8]) -> String {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n");
    String::from_utf8_lossy(&request[..end.unwrap_or(0)]).to_lowercase()
}

/// How long the first request is, once all of it is there.
fn length_of_request(bytes: &[u8]) -> Option<usize> {
    let body = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = head_of(bytes);
    let header = |name: &str| {
        let mut lines = head.split("\r\n");
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    let end = if header("transfer-encoding") == Some("chunked") {
        end_of_chunks(bytes, body)?
    } else {
        body + header("content-length").map_or(0, |length| length.parse().unwrap())
    };
    (bytes.len() >= end).then_some(end)
}

fn end_of_chunks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let line = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let digits = String::from_utf8_lossy(&bytes[at..at + line]).into_owned();
        let size = usize::from_str_radix(&digits, 16).unwrap();
        at += line + 2 + size + 2;
        if size == 0 {
            return Some(at);
        }
    }
}

/// What a request does to the journal.
fn entry_of(request: &[u8]) -> Option<Entry> {
    let text = String::from_utf8_lossy(request);
    if !text.starts_with("POST /v1/files") || !text.contains(JOURNAL) {
        return None;
    }
    let step = text
        .split_once("\"step\":\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(step, _)| Entry::Step(step.to_owned()));
    let removed = text.contains("\"action\":\"remove\"");
    step.or_else(|| removed.then_some(Entry::Removed))
}
