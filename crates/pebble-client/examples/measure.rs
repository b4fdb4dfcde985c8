//! What `make bench` measures of this crate, as one program: each command does one thing and ends.
//!
//! `raw-pull`, `raw-push` and `raw-cat` speak to the socket without looking at what comes: the server's own limit.

#[path = "support/socket.rs"]
mod socket;

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use pebble_client::{Client, Stdin, WriteFile};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

const BUFFER_BYTES: usize = 256 << 10;

type Done = Result<(), Box<dyn Error>>;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a command line program"
)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let client = Client::new(socket::path());
    let done = match words[..] {
        ["pull", from, to] => pull(&client, from, to).await,
        ["push", from, to] => push(&client, from, to).await,
        ["true", count] => many(&client, count).await,
        ["cat", megabytes] => cat(&client, megabytes).await,
        ["raw-pull", from] => raw_pull(from),
        ["raw-push", megabytes, to] => raw_push(megabytes, to),
        ["raw-cat", megabytes] => raw_cat(megabytes),
        _ => Err("usage: measure pull|push FROM TO, true COUNT, cat MEGABYTES, raw-...".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", socket::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn pull(client: &Client, from: &str, to: &str) -> Done {
    let mut content = client.pull(from).await?;
    let mut file = File::create(to)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match content.read(&mut buffer).await? {
            0 => return Ok(()),
            count => file.write_all(&buffer[..count])?,
        }
    }
}

async fn push(client: &Client, from: &str, to: &str) -> Done {
    let content = FromFile(File::open(from)?);
    Ok(client.push(WriteFile::new(to), content).await?)
}

/// A file that is read right here: there is nothing else to do meanwhile.
struct FromFile(File);

impl AsyncRead for FromFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let count = self.0.read(buffer.initialize_unfilled())?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

async fn many(client: &Client, count: &str) -> Done {
    for _ in 0..count.parse()? {
        let output = client.exec(["true"]).output().await?;
        if !output.status.success() {
            return Err(output.status.to_string().into());
        }
    }
    Ok(())
}

/// From memory through `cat` to nowhere, and whole.
async fn cat(client: &Client, megabytes: &str) -> Done {
    let size = megabytes.parse::<u64>()? << 20;
    let stdin = Stdin::stream(tokio::io::repeat(7).take(size));
    let mut process = client.exec(["cat"]).stdin(stdin).spawn().await?;
    let mut stdout = process.stdout.take().ok_or("no output")?;
    let received = async {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut received = 0;
        loop {
            match stdout.read(&mut buffer).await? {
                0 => return Ok::<u64, std::io::Error>(received),
                count => received += count as u64,
            }
        }
    };
    let (status, received) = tokio::join!(process.wait(), received);
    if !status?.success() || received? != size {
        return Err("not all came back".into());
    }
    Ok(())
}

fn raw_pull(from: &str) -> Done {
    let mut stream = UnixStream::connect(socket::path())?;
    write!(
        stream,
        "GET /v1/files?action=read&path={from} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: multipart/form-data\r\n\r\n"
    )?;
    let mut buffer = vec![0; BUFFER_BYTES];
    while stream.read(&mut buffer)? != 0 {}
    Ok(())
}

fn raw_push(megabytes: &str, to: &str) -> Done {
    let boundary = "b".repeat(40);
    let head = format!(
        "--{boundary}\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n\
         {{\"action\":\"write\",\"files\":[{{\"path\":\"{to}\"}}]}}\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: form-data; name=\"files\"; filename=\"{to}\"\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let megabytes: usize = megabytes.parse()?;
    let length = head.len() + (megabytes << 20) + tail.len();
    let mut stream = UnixStream::connect(socket::path())?;
    write!(
        stream,
        "POST /v1/files HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n{head}"
    )?;
    let piece = vec![7; 1 << 20];
    for _ in 0..megabytes {
        stream.write_all(&piece)?;
    }
    stream.write_all(tail.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.contains("\"error\"") {
        return Err(answer.into());
    }
    Ok(())
}

/// Frames that were made beforehand, masked with zeros, and nothing looked at that comes back.
fn raw_cat(megabytes: &str) -> Done {
    const FRAME_BYTES: usize = 64 << 10;
    let task = raw_exec()?;
    let control = raw_websocket(&task, "control")?;
    let stdio = raw_websocket(&task, "stdio")?;
    let mut writer = stdio.try_clone()?;
    let count = megabytes.parse::<usize>()? * (1 << 20) / FRAME_BYTES;
    let feeding = std::thread::spawn(move || -> std::io::Result<()> {
        let mut frame = vec![0x82, 0xff];
        frame.extend((FRAME_BYTES as u64).to_be_bytes());
        frame.extend([0; 4]);
        frame.resize(frame.len() + FRAME_BYTES, 7);
        for _ in 0..count {
            writer.write_all(&frame)?;
        }
        let end = br#"{"command":"end"}"#;
        writer.write_all(&[0x81, 0x80 + 17, 0, 0, 0, 0])?;
        writer.write_all(end)
    });
    let mut reader = stdio;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut received = 0;
    // Less than all of it would be an error; the frames' own heads are more.
    while received < count * FRAME_BYTES {
        match reader.read(&mut buffer)? {
            0 => return Err("cut off".into()),
            more => received += more,
        }
    }
    feeding.join().map_err(|_| "feeding failed")??;
    drop(control);
    Ok(())
}

fn raw_exec() -> Result<String, Box<dyn Error>> {
    let body = r#"{"command":["cat"]}"#;
    let mut stream = UnixStream::connect(socket::path())?;
    write!(
        stream,
        "POST /v1/exec HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let task = answer.split("\"task-id\":\"").nth(1).ok_or("no task")?;
    Ok(task.split('"').next().unwrap_or_default().to_owned())
}

fn raw_websocket(task: &str, id: &str) -> Result<UnixStream, Box<dyn Error>> {
    let mut stream = UnixStream::connect(socket::path())?;
    write!(
        stream,
        "GET /v1/tasks/{task}/websocket/{id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        Ok(stream)
    } else {
        Err(String::from_utf8_lossy(&head).into_owned().into())
    }
}
