//! A listener that hands everything on to an S3 server and notes what was asked.
//!
//! Include it by `#[path = "support/counting.rs"] mod counting;`. For requests without a body.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was asked, and where to ask.
#[derive(Debug)]
pub struct Counting {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Counting {
    /// Listens until the test's process ends.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Ok(to) = TcpStream::connect(server) else {
                    continue;
                };
                let (back, front) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                let noted = Arc::clone(&noted);
                thread::spawn(move || forward(from, to, &noted));
                thread::spawn(move || forward(back, front, &Mutex::default()));
            }
        });
        Self { address, asked }
    }

    /// Where it listens, as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first line of each request since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, asked: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        for byte in &buffer[..read] {
            head.push(*byte);
            if head.ends_with(b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&head);
                let line = text.lines().next().unwrap_or_default().to_owned();
                asked.lock().unwrap().push(line);
                head.clear();
            }
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
