//! One websocket of an exec with the streams on it, shared by whoever reads, whoever writes and whoever waits.
//!
//! Nobody owns a task here, so each of them moves whatever can move when it is polled, and all of them are woken by
//! the socket: otherwise one that is not polled again could keep the others asleep.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use crate::exec::websocket::Socket;

const INPUT_FRAME_BYTES: usize = 128 << 10;

pub(crate) const END: &str = r#"{"command":"end"}"#;

/// Who polls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Reader,
    Writer,
    Waiter,
}

pub(crate) struct Channel {
    state: Mutex<State>,
    wakers: Arc<Wakers>,
}

struct State {
    socket: Socket,
    /// What is left of the last frame.
    data: Bytes,
    output: Output,
    input: Input,
    /// The reader was there and is gone: nobody will ever read.
    reader_gone: bool,
    /// Frames received.
    frames: u64,
    /// Whoever reads found nothing.
    hungry: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Open,
    /// The process, and all that had its output, closed it.
    Ended,
    /// The connection broke before that.
    Cut,
    /// Given up: what does not come at once will not be waited for.
    GivenUp,
}

/// What is still to be sent.
enum Input {
    /// What the writer brings.
    Open,
    /// This, and then the end.
    Rest(Bytes),
    /// The end.
    End,
    /// The end was handed over.
    Flush,
    Ended,
    /// Nobody takes it any more.
    Broken,
}

/// What can be told of the output from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) output: Output,
    pub(crate) frames: u64,
    pub(crate) hungry: bool,
}

#[derive(Default)]
struct Wakers {
    slots: Mutex<[Option<Waker>; 3]>,
}

#[derive(Deserialize)]
struct Command<'a> {
    command: &'a str,
}

impl Channel {
    /// Makes a channel whose input is ended at once.
    pub(crate) fn without_input(socket: Socket) -> Self {
        Self::new(socket, Input::Ended)
    }

    /// Makes a channel that sends `bytes` and then the end.
    pub(crate) fn with_bytes(socket: Socket, bytes: Bytes) -> Self {
        Self::new(socket, Input::Rest(bytes))
    }

    /// Makes a channel whose input comes by [`poll_write`](Self::poll_write).
    pub(crate) fn with_writer(socket: Socket) -> Self {
        Self::new(socket, Input::Open)
    }

    fn new(socket: Socket, input: Input) -> Self {
        let state = State {
            socket,
            data: Bytes::new(),
            output: Output::Open,
            input,
            reader_gone: false,
            frames: 0,
            hungry: false,
        };
        Self {
            state: Mutex::new(state),
            wakers: Arc::default(),
        }
    }

    /// Calls `poll` with the state and a waker that wakes all three roles.
    fn poll<T>(
        &self,
        role: Role,
        context: &Context<'_>,
        poll: impl FnOnce(&mut State, &mut Context<'_>) -> T,
    ) -> T {
        self.wakers.register(role, context.waker());
        let waker = Waker::from(Arc::clone(&self.wakers));
        poll(&mut self.state(), &mut Context::from_waker(&waker))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of another thread cannot leave the state half-changed in a way that matters here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out the next bytes, at most `limit`; none at the end.
    pub(crate) fn poll_read(&self, context: &Context<'_>, limit: usize) -> Poll<io::Result<Bytes>> {
        self.poll(Role::Reader, context, |state, context| {
            let _ = state.poll_input(context);
            if let Err(error) = ready!(state.poll_fill(context)) {
                return Poll::Ready(Err(error));
            }
            let count = limit.min(state.data.len());
            Poll::Ready(Ok(state.data.split_to(count)))
        })
    }

    pub(crate) fn poll_write(
        &self,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(Role::Writer, context, |state, context| {
            if !matches!(state.input, Input::Open) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let count = bytes.len().min(INPUT_FRAME_BYTES);
            let frame = Message::Binary(Bytes::copy_from_slice(&bytes[..count]));
            ready!(state.poll_send(context, frame))?;
            // As with a pipe, what was written is on its way without a flush.
            let _ = state.poll_flush(context);
            Poll::Ready(Ok(count))
        })
    }

    pub(crate) fn poll_flush(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Role::Writer, context, State::poll_flush)
    }

    /// Sends the end of the input and waits until it is on its way.
    pub(crate) fn poll_end_input(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Role::Writer, context, |state, context| {
            state.end_input();
            state.poll_input(context).map(|()| Ok(()))
        })
    }

    /// Sends the end of the input without waiting for it; the other roles see to the rest.
    pub(crate) fn end_input(&self) {
        let waker = Waker::from(Arc::clone(&self.wakers));
        let mut state = self.state();
        state.end_input();
        let _ = state.poll_input(&mut Context::from_waker(&waker));
        drop(state);
        self.wakers.wake_all();
    }

    pub(crate) fn reader_gone(&self) {
        self.state().reader_gone = true;
        self.wakers.wake_all();
    }

    /// Sends what is to be sent; with `discard`, or when the reader is gone, reads and drops the output.
    pub(crate) fn poll_wait(&self, context: &Context<'_>, discard: bool) {
        self.poll(Role::Waiter, context, |state, context| {
            let _ = state.poll_input(context);
            if discard || state.reader_gone {
                state.poll_discard(context);
            }
        });
    }

    pub(crate) fn progress(&self) -> Progress {
        let state = self.state();
        Progress {
            output: state.output,
            frames: state.frames,
            hungry: state.hungry,
        }
    }

    /// Fails the writer, whose process has ended, and sends the end to whatever else may still read.
    pub(crate) fn break_input(&self) {
        let waker = Waker::from(Arc::clone(&self.wakers));
        let mut state = self.state();
        if let Input::Open | Input::Rest(_) = state.input {
            state.input = Input::End;
        }
        let _ = state.poll_input(&mut Context::from_waker(&waker));
        drop(state);
        self.wakers.wake_all();
    }

    /// Ends the output for a reader that has taken what is there.
    pub(crate) fn give_up_output(&self) {
        let mut state = self.state();
        if state.output == Output::Open {
            state.output = Output::GivenUp;
        }
        drop(state);
        self.wakers.wake_all();
    }
}

impl State {
    /// Reads and drops all there is.
    fn poll_discard(&mut self, context: &mut Context<'_>) {
        while matches!(self.poll_fill(context), Poll::Ready(Ok(()))) && !self.data.is_empty() {
            self.data.clear();
        }
    }

    /// Goes on until there is data, or the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.data.is_empty() && self.output != Output::Ended {
            if self.output == Output::Cut {
                return Poll::Ready(Err(cut()));
            }
            match Pin::new(&mut self.socket).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => self.take(message),
                Poll::Ready(Some(Err(_)) | None) => self.output = Output::Cut,
                Poll::Pending if self.output == Output::GivenUp => self.output = Output::Cut,
                Poll::Pending => {
                    self.hungry = true;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, message: Message) {
        self.hungry = false;
        self.frames += 1;
        match message {
            Message::Binary(data) => self.data = data,
            Message::Text(text) => {
                // Other commands, and what is no command, are for a newer client.
                let command = serde_json::from_str::<Command<'_>>(&text);
                if command.is_ok_and(|command| command.command == "end") {
                    self.output = Output::Ended;
                }
            }
            Message::Close(_) => self.output = Output::Cut,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }

    fn end_input(&mut self) {
        if matches!(self.input, Input::Open) {
            self.input = Input::End;
        }
    }

    /// Sends what is to be sent; ready when nothing is left.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let sent = match &mut self.input {
                Input::Open => {
                    let _ = self.poll_flush(context);
                    return Poll::Ready(());
                }
                Input::Rest(rest) if rest.has_remaining() => {
                    let frame = rest.slice(..rest.len().min(INPUT_FRAME_BYTES));
                    let left = rest.slice(frame.len()..);
                    let sent = ready!(self.poll_send(context, Message::Binary(frame)));
                    self.input = Input::Rest(left);
                    sent
                }
                Input::Rest(_) | Input::End => {
                    let sent = ready!(self.poll_send(context, Message::text(END)));
                    self.input = Input::Flush;
                    sent
                }
                Input::Flush => {
                    let sent = ready!(self.poll_flush(context));
                    self.input = Input::Ended;
                    sent
                }
                Input::Ended | Input::Broken => return Poll::Ready(()),
            };
            if sent.is_err() {
                self.input = Input::Broken;
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, message: Message) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(context))?;
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(broken)?;
        Poll::Ready(
            Pin::new(&mut self.socket)
                .start_send(message)
                .map_err(broken),
        )
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket)
            .poll_flush(context)
            .map_err(broken)
    }
}

impl Wakers {
    fn register(&self, role: Role, waker: &Waker) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut slots[role as usize] {
            Some(known) => known.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    fn wake_all(&self) {
        let slots = self
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        slots.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the output was cut off")
}

fn broken(error: WebSocketError) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, error)
}
