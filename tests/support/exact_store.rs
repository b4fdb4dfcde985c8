//! An S3 server that keeps keys to the byte, which SeaweedFS does not: there `/x` and `x` are one object. It holds one
//! bucket in memory, looks at no signature, and answers each request on a connection of its own.
//!
//! Include it by `#[path = "support/exact_store.rs"] mod exact_store;`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "no test uses all of it, and a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A bucket, for as long as the test's process lives.
#[derive(Debug)]
pub struct ExactStore {
    address: SocketAddr,
    objects: Objects,
}

/// Status, headers, body.
type Answer = (&'static str, String, Vec<u8>);

impl ExactStore {
    /// Serves an empty bucket.
    pub fn start(bucket: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let objects = Objects::default();
        let served = Arc::clone(&objects);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let objects = Arc::clone(&served);
                std::thread::spawn(move || serve(&stream, bucket, &objects));
            }
        });
        Self { address, objects }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn put(&self, key: &str, content: Vec<u8>) {
        lock(&self.objects).insert(key.to_owned(), content);
    }

    /// All keys, as they are.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }
}

fn lock(objects: &Objects) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
    objects.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &TcpStream, bucket: &str, objects: &Objects) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    for line in reader.by_ref().lines() {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let mut words = head.first()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let header = |name: &str| {
        let mut fields = head.iter().filter_map(|line| line.split_once(':'));
        let field = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(field.1.trim())
    };
    let length = header("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;

    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let key = path.strip_prefix(&format!("/{bucket}")).map(decode)?;
    let key = key.strip_prefix('/').unwrap_or(&key);
    let mut objects = lock(objects);
    let (status, headers, content) = match method {
        "GET" if query.contains("list-type=2") => ("200 OK", String::new(), list(&objects, query)),
        "GET" | "HEAD" => read(objects.get(key), header("range")),
        "PUT" => {
            objects.insert(key.to_owned(), body);
            ("200 OK", String::new(), Vec::new())
        }
        "DELETE" => {
            objects.remove(key);
            ("204 No Content", String::new(), Vec::new())
        }
        _ => ("501 Not Implemented", String::new(), Vec::new()),
    };
    let length = content.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    if method != "HEAD" {
        stream.write_all(&content).ok()?;
    }
    Some(())
}

fn list(objects: &BTreeMap<String, Vec<u8>>, query: &str) -> Vec<u8> {
    let mut fields = query.split('&').filter_map(|field| field.split_once('='));
    let prefix = fields.find(|(name, _)| *name == "prefix");
    let prefix = prefix.map(|(_, value)| decode(value)).unwrap_or_default();
    let mut text = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
    for (key, content) in objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        let size = content.len();
        let _ = write!(
            text,
            "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>2026-11-23T11:00:00Z</LastModified></Contents>"
        );
    }
    text.push_str("</ListBucketResult>");
    text.into_bytes()
}

fn read(object: Option<&Vec<u8>>, range: Option<&str>) -> Answer {
    let Some(object) = object else {
        let error = "<Error><Code>NoSuchKey</Code><Message>it is not there</Message></Error>";
        return ("404 Not Found", String::new(), error.into());
    };
    let facts = "etag: \"0\"\r\nlast-modified: Mon, 23 Nov 2026 11:00:00 GMT\r\n".to_owned();
    let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((start, end)) = range else {
        return ("200 OK", facts, object.clone());
    };
    let last = object.len().saturating_sub(1);
    let (start, end): (usize, usize) = (
        start.parse().unwrap(),
        end.parse().unwrap_or(last).min(last),
    );
    let facts = format!(
        "{facts}content-range: bytes {start}-{end}/{}\r\n",
        object.len()
    );
    ("206 Partial Content", facts, object[start..=end].to_vec())
}

fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let digits = |bytes: &mut std::str::Bytes<'_>| {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        };
        let escaped = (byte == b'%').then(|| digits(&mut bytes)).flatten();
        decoded.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
