//! What stands between the charm and an S3 server, and holds or breaks a download midway.
//!
//! Include it by `#[path = "support/s3_gate.rs"] mod s3_gate;`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "no test uses all of it, and a test fails by panicking"
)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What passes.
#[derive(Debug)]
enum Passing {
    All,
    /// So many bytes more of the objects whose keys end so; all else.
    Until {
        key: &'static str,
        bytes: usize,
    },
    /// Nothing more of these objects.
    Held {
        key: &'static str,
    },
    /// Nothing, as if the server were gone.
    None,
}

#[derive(Debug)]
struct Shared {
    passing: Mutex<Passing>,
    changed: Condvar,
    connections: Mutex<Vec<TcpStream>>,
}

/// Listens until the test's process ends.
#[derive(Debug)]
pub struct S3Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl S3Gate {
    /// Passes everything at first.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            passing: Mutex::new(Passing::All),
            changed: Condvar::new(),
            connections: Mutex::default(),
        });
        let gate = Arc::clone(&shared);
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Ok(to) = TcpStream::connect(server) else {
                    continue;
                };
                gate.pass(&from, &to);
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on only so many bytes pass of what is downloaded of the objects whose keys end so.
    pub fn hold_after(&self, key: &'static str, bytes: usize) {
        self.shared.set(Passing::Until { key, bytes });
    }

    /// Waits until a download is held.
    pub fn wait_until_held(&self, limit: Duration) {
        let passing = self.shared.passing.lock().unwrap();
        let is_not_yet = |passing: &mut Passing| !matches!(passing, Passing::Held { .. });
        let waited = self
            .shared
            .changed
            .wait_timeout_while(passing, limit, is_not_yet);
        let (passing, _) = waited.unwrap();
        assert!(
            matches!(*passing, Passing::Held { .. }),
            "nothing is downloaded"
        );
    }

    /// Passes everything again.
    pub fn open(&self) {
        self.shared.set(Passing::All);
    }

    /// Ends all connections, and every new one, as if the server were gone.
    pub fn close(&self) {
        self.shared.set(Passing::None);
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn set(&self, passing: Passing) {
        *self.passing.lock().unwrap() = passing;
        self.changed.notify_all();
    }

    fn pass(self: &Arc<Self>, from: &TcpStream, to: &TcpStream) {
        let mut connections = self.connections.lock().unwrap();
        if matches!(*self.passing.lock().unwrap(), Passing::None) {
            return;
        }
        connections.extend([from, to].map(|stream| stream.try_clone().unwrap()));
        drop(connections);
        let is_of_key = Arc::new(AtomicBool::new(false));
        let (asking, answering) = (Arc::clone(self), Arc::clone(self));
        let asked = Arc::clone(&is_of_key);
        let (mut client, mut server) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            forward(&mut client, &mut server, |part| {
                asking.note(part, &asked);
                true
            });
        });
        let (mut client, mut server) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            forward(&mut server, &mut client, |part| {
                !is_of_key.load(Ordering::SeqCst) || answering.may_pass(part.len())
            });
        });
    }

    /// Requests of a download have no body, so each begins what is read.
    fn note(&self, part: &[u8], is_of_key: &AtomicBool) {
        let passing = self.passing.lock().unwrap();
        if let Passing::Until { key, .. } | Passing::Held { key } = *passing {
            let head = String::from_utf8_lossy(part);
            let target = head.split(' ').nth(1).unwrap_or_default();
            let path = target.split('?').next().unwrap_or_default();
            let is_get = head.starts_with("GET ") && path.ends_with(key);
            is_of_key.store(is_get, Ordering::SeqCst);
        }
    }

    /// Waits until so many bytes of a download may pass; whether they ever may.
    fn may_pass(&self, length: usize) -> bool {
        let mut passing = self.passing.lock().unwrap();
        if let Passing::Until { key, bytes } = &mut *passing {
            if let Some(left) = bytes.checked_sub(length) {
                *bytes = left;
                return true;
            }
            *passing = Passing::Held { key };
            self.changed.notify_all();
        }
        let is_held = |passing: &mut Passing| matches!(passing, Passing::Held { .. });
        let passing = self.changed.wait_while(passing, is_held).unwrap();
        !matches!(*passing, Passing::None)
    }
}

fn forward(from: &mut TcpStream, to: &mut TcpStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !may_pass(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
