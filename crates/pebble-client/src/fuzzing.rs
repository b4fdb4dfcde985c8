//! What takes bytes of the other side apart, with properties that have to hold for any bytes. For the fuzz targets of
//! `fuzz/` and for the tests below, which need no other compiler: they replay the stored inputs and many changed ones.

#![expect(clippy::panic, reason = "a broken property has to end the run")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::envelope;
use crate::exec::channel::{Channel, Output};
use crate::exec::streams::ProcessStdout;
use crate::exec::websocket;
use crate::files::multipart::{Event, Parser};

/// Whatever the pieces in which a body comes, the same parts are found; content that is given out was in the body.
///
/// # Panics
///
/// When that is not so.
pub fn multipart(bytes: &[u8]) {
    let whole = parts(bytes, bytes.len().max(1));
    for piece in [1, 2, 3, 7, 13, 64] {
        let pieces = parts(bytes, piece);
        assert!(
            pieces == whole,
            "in pieces of {piece}: {pieces:?} {whole:?}"
        );
    }
    let content: usize = whole.iter().map(|(_, content)| content.len()).sum();
    assert!(content <= bytes.len());
}

/// The parts up to the end or the first error.
fn parts(bytes: &[u8], piece: usize) -> Vec<(String, Vec<u8>)> {
    let Ok(mut parser) = Parser::new("multipart/form-data; boundary=xyz") else {
        panic!("the boundary is not taken");
    };
    let mut pieces = bytes.chunks(piece);
    let (mut parts, mut current) = (Vec::new(), None);
    loop {
        match parser.next() {
            Ok(Event::Part(name)) => {
                assert!(current.is_none(), "a part in a part");
                current = Some((name, Vec::new()));
            }
            Ok(Event::Data(data)) => match &mut current {
                Some((_, content)) => content.extend_from_slice(&data),
                None => panic!("content without a part"),
            },
            Ok(Event::PartEnd) => parts.extend(current.take()),
            Ok(Event::NeedInput) => match pieces.next() {
                Some(piece) => parser.feed(piece),
                None => return parts,
            },
            Ok(Event::End) | Err(_) => return parts,
        }
    }
}

/// Only what says that it is an answer is one, whatever its status; an error never is.
///
/// # Panics
///
/// When that is not so.
pub fn envelope(bytes: &[u8]) {
    for status in [200, 202, 400, 404, 500, 502] {
        let parsed = envelope::parse::<serde_json::Value>(status, bytes);
        let value = serde_json::from_slice::<serde_json::Value>(bytes);
        let kind = value.as_ref().ok().and_then(|value| value.get("type"));
        let is_answer = kind.is_some_and(|kind| kind == "sync" || kind == "async");
        assert!(
            parsed.is_err() || is_answer || value.is_err(),
            "status {status}: {parsed:?} of {value:?}"
        );
        let _ = envelope::error_of(status, bytes).to_string();
    }
}

/// Bytes on a websocket end in output, an end, or an error; what is given out was in the bytes, and nothing comes
/// after the end.
///
/// # Panics
///
/// When that is not so.
pub fn frames(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let Ok(runtime) = runtime else {
        panic!("no runtime");
    };
    runtime.block_on(async {
        let Ok((near, mut far)) = UnixStream::pair() else {
            panic!("no sockets");
        };
        let config = Some(websocket::config());
        let socket = WebSocketStream::from_raw_socket(near, Role::Client, config).await;
        let channel = Arc::new(Channel::without_input(socket));
        let mut stdout = ProcessStdout::new(Arc::clone(&channel));
        let ((), received) = tokio::join!(
            async {
                let _ = far.write_all(bytes).await;
                let _ = far.shutdown().await;
            },
            read_all(&mut stdout)
        );
        assert!(received.len() <= bytes.len());
        let mut context = Context::from_waker(Waker::noop());
        let again = poll_once(&mut stdout, &mut context);
        match channel.progress().output {
            Output::Ended => assert!(matches!(again, Poll::Ready(Ok(0)))),
            Output::Cut => assert!(matches!(again, Poll::Ready(Err(_)))),
            other => panic!("{other:?} behind the end of the connection"),
        }
    });
}

fn poll_once(
    stdout: &mut ProcessStdout,
    context: &mut Context<'_>,
) -> Poll<std::io::Result<usize>> {
    let mut space = [0; 4096];
    let mut buffer = ReadBuf::new(&mut space);
    Pin::new(stdout)
        .poll_read(context, &mut buffer)
        .map(|result| result.map(|()| buffer.filled().len()))
}

async fn read_all(stdout: &mut ProcessStdout) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(stdout, &mut received).await;
    received
}

#[cfg(test)]
mod tests {
    //! Each stored input, and changed ones made of them, in the same order each time. `FUZZ_ROUNDS` makes more.

    use std::path::Path;

    use super::{envelope, frames, multipart};

    /// A generator of numbers (splitmix64).
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let mixed = (mixed ^ (mixed >> 31)) >> 1;
            usize::try_from(mixed).unwrap_or(0) % limit.max(1)
        }

        fn byte(&mut self) -> u8 {
            self.below(256).to_le_bytes()[0]
        }
    }

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let mut files: Vec<_> = std::fs::read_dir(folder.join(name))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "no inputs for {name}");
        let read = files.iter().map(std::fs::read);
        read.map(Result::unwrap_or_default).collect()
    }

    /// Changes an input: bytes, runs of them, pieces of another input, words that mean something.
    fn changed(random: &mut Random, corpus: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(6) {
            let at = random.below(input.len() + 1);
            let end = (at + random.below(40)).min(input.len());
            match random.below(7) {
                0 if at < input.len() => input[at] ^= 1 << random.below(8),
                1 if at < input.len() => input[at] = random.byte(),
                2 => drop(input.drain(at..end)),
                3 => input.truncate(at),
                4 => {
                    let run = input[at..end].to_vec();
                    input.splice(at..at, run);
                }
                5 => {
                    let word = words[random.below(words.len())];
                    input.splice(at..at, word.iter().copied());
                }
                _ => {
                    let other = &corpus[random.below(corpus.len())];
                    let from = random.below(other.len() + 1);
                    input.splice(at.., other[from..].iter().copied());
                }
            }
        }
        input
    }

    fn try_out(name: &str, rounds: usize, words: &[&[u8]], target: impl Fn(&[u8])) {
        let corpus = corpus(name);
        for input in &corpus {
            target(input);
        }
        let mut random = Random(0);
        for _ in 0..rounds {
            target(&changed(&mut random, &corpus, words));
        }
    }

    fn rounds(usual: usize) -> usize {
        option_env!("FUZZ_ROUNDS")
            .and_then(|rounds| rounds.parse().ok())
            .unwrap_or(usual)
    }

    #[test]
    fn multipart_reader_holds_for_changed_inputs() {
        let words: [&[u8]; 6] = [b"\r\n--xyz", b"\r\n", b"--", b"\r\n\r\n", b"name=\"", b"\\"];
        try_out("multipart", rounds(20_000), &words, multipart);
    }

    #[test]
    fn envelope_holds_for_changed_inputs() {
        let words: [&[u8]; 6] = [
            b"\"type\":\"error\",",
            b"\"result\":null,",
            b"[",
            b"{",
            b"1e999",
            b"\\ud800",
        ];
        try_out("envelope", rounds(20_000), &words, envelope);
    }

    #[test]
    fn websocket_frames_hold_for_changed_inputs() {
        let words: [&[u8]; 5] = [
            b"\x82\x01x",
            b"\x81\x11{\"command\":\"end\"}",
            b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x88\x02\x03\xe8",
            b"\x89\x00",
        ];
        try_out("frames", rounds(4_000), &words, frames);
    }
}
