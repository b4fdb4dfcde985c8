//! Taking a `multipart/form-data` body apart while it comes in.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::Failure;

const HEADER_LIMIT_BYTES: usize = 64 << 10;

/// What the parser finds next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A part of this form name begins.
    Part(String),
    /// Content of the part.
    Data(Bytes),
    /// The part is complete.
    PartEnd,
    /// The last part is complete; what follows is of no interest.
    End,
    /// More input is needed to tell.
    NeedInput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    AfterDelimiter,
    Headers,
    Content,
    End,
}

/// Holds no more than one piece of input and one delimiter.
#[derive(Debug)]
pub(crate) struct Parser {
    delimiter: Vec<u8>,
    buffer: BytesMut,
    state: State,
}

impl Parser {
    /// Makes a parser for a body of this content type.
    pub(crate) fn new(content_type: &str) -> Result<Self, Failure> {
        let boundary = boundary(content_type).ok_or_else(|| {
            Failure::Protocol(format!(
                "content of type {content_type:?} in place of multipart/form-data"
            ))
        })?;
        // A delimiter begins with the line break before it, and the first one may stand at the very beginning.
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            buffer: BytesMut::from(&b"\r\n"[..]),
            state: State::Preamble,
        })
    }

    pub(crate) fn feed(&mut self, input: &[u8]) {
        self.buffer.extend_from_slice(input);
    }

    pub(crate) fn next(&mut self) -> Result<Event, Failure> {
        if self.state == State::Preamble && !self.skip_preamble() {
            return Ok(Event::NeedInput);
        }
        if self.state == State::AfterDelimiter && !self.after_delimiter()? {
            return Ok(Event::NeedInput);
        }
        match self.state {
            State::Headers => self.headers(),
            State::Content => Ok(self.content()),
            _ => Ok(Event::End),
        }
    }

    fn skip_preamble(&mut self) -> bool {
        let found = find(&self.buffer, &self.delimiter);
        match found {
            Some(at) => {
                self.buffer.advance(at + self.delimiter.len());
                self.state = State::AfterDelimiter;
            }
            None => self.buffer.advance(self.undecided_from()),
        }
        found.is_some()
    }

    /// Goes on behind a delimiter: either the closing dashes, or white space and the end of the line.
    fn after_delimiter(&mut self) -> Result<bool, Failure> {
        if self.buffer.starts_with(b"--") {
            self.state = State::End;
            return Ok(true);
        }
        let blank = self
            .buffer
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        match self.buffer.get(blank..) {
            Some([b'\r', b'\n', ..]) => {
                // This line break stays: without any header it is the first of the two that end the headers.
                self.buffer.advance(blank);
                self.state = State::Headers;
                Ok(true)
            }
            Some([] | [b'\r' | b'-']) if blank < HEADER_LIMIT_BYTES => Ok(false),
            _ => Err(Failure::Protocol(String::from(
                "garbage behind a multipart delimiter",
            ))),
        }
    }

    fn headers(&mut self) -> Result<Event, Failure> {
        let Some(end) = find(&self.buffer, b"\r\n\r\n") else {
            return if self.buffer.len() > HEADER_LIMIT_BYTES {
                Err(Failure::Protocol(String::from(
                    "multipart headers without an end",
                )))
            } else {
                Ok(Event::NeedInput)
            };
        };
        let headers = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.advance(end + 4);
        self.state = State::Content;
        let name = headers.lines().find_map(form_name).unwrap_or_default();
        Ok(Event::Part(name))
    }

    fn content(&mut self) -> Event {
        match find(&self.buffer, &self.delimiter) {
            Some(0) => {
                self.buffer.advance(self.delimiter.len());
                self.state = State::AfterDelimiter;
                Event::PartEnd
            }
            Some(at) => Event::Data(self.buffer.split_to(at).freeze()),
            None => match self.undecided_from() {
                0 => Event::NeedInput,
                at => Event::Data(self.buffer.split_to(at).freeze()),
            },
        }
    }

    /// Returns where the part of the buffer begins that may turn out to be a delimiter.
    fn undecided_from(&self) -> usize {
        let from = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
        (from..self.buffer.len())
            .find(|&at| self.delimiter.starts_with(&self.buffer[at..]))
            .unwrap_or(self.buffer.len())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(offset) = haystack[from..].iter().position(|&byte| byte == first) {
        from += offset;
        if haystack[from..].starts_with(needle) {
            return Some(from);
        }
        from += 1;
    }
    None
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

fn form_name(line: &str) -> Option<String> {
    let (header, value) = line.split_once(':')?;
    if !header.trim().eq_ignore_ascii_case("content-disposition") {
        return None;
    }
    parameter(value.split_once(';')?.1, "name")
}

/// Returns one of `a=b; c="d"`. What a quoted value holds is not taken for a parameter.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (key, tail) = rest.split_once('=')?;
        let (value, tail) = if let Some(quoted) = tail.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let end = tail.find(';').unwrap_or(tail.len());
            (tail[..end].trim().to_owned(), &tail[end..])
        };
        if key.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = tail.trim_start().strip_prefix(';')?;
    }
}

fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Event, Parser};
    use crate::error::Failure;

    const TYPE: &str = "multipart/form-data; boundary=xyz";

    /// Parses `body` in pieces of `piece` bytes into (name, content) pairs.
    fn parse(body: &[u8], piece: usize) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut parser = Parser::new(TYPE)?;
        let mut pieces = body.chunks(piece);
        let mut parts = Vec::new();
        let mut content = Vec::new();
        let mut name = String::new();
        loop {
            match parser.next()? {
                Event::Part(part) => name = part,
                Event::Data(data) => content.extend_from_slice(&data),
                Event::PartEnd => {
                    parts.push((std::mem::take(&mut name), std::mem::take(&mut content)));
                }
                Event::End => return Ok(parts),
                Event::NeedInput => match pieces.next() {
                    Some(piece) => parser.feed(piece),
                    None => return Err(Failure::Protocol(String::from("cut off"))),
                },
            }
        }
    }

    fn part(name: &str, content: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), content.to_vec())
    }

    #[test]
    fn parts_are_found_whatever_the_pieces() -> Result<(), Failure> {
        let body = b"garbage\r\n--xyz \t\r\nContent-Disposition: form-data; name=\"files\"; \
            filename=\"a\\\"; name=\\\"response\"\r\nContent-Type: application/octet-stream\r\n\r\n\
            one\r\n--xy\r\n\r\n--xz\r\n--\r\n--xyz\r\ncontent-disposition: form-data; filename=x; name=empty\r\n\r\n\
            \r\n--xyz\r\n\r\nnameless\r\n--xyz--\r\ngarbage";
        let expected = [
            part("files", b"one\r\n--xy\r\n\r\n--xz\r\n--"),
            part("empty", b""),
            part("", b"nameless"),
        ];
        for piece in 1..=body.len() {
            assert_eq!(parse(body, piece)?, expected, "in pieces of {piece}");
        }
        Ok(())
    }

    #[test]
    fn delimiter_at_the_very_beginning_is_found() -> Result<(), Failure> {
        assert_eq!(parse(b"--xyz\r\n\r\n\r\n--xyz--", 3)?, [part("", b"")]);
        assert_eq!(parse(b"--xyz--", 3)?, []);
        Ok(())
    }

    #[test]
    fn body_that_is_cut_off_anywhere_is_an_error() {
        let body = b"--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nabc\r\n--xyz--";
        for length in 0..body.len() {
            assert!(parse(&body[..length], 7).is_err(), "cut after {length}");
        }
    }

    #[test]
    fn garbage_behind_a_delimiter_is_an_error() {
        assert!(parse(b"--xyzabc\r\n\r\n\r\n--xyz--", 100).is_err());
    }

    #[test]
    fn content_type_without_a_boundary_is_an_error() {
        for content_type in [
            "",
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "x; boundary=a",
        ] {
            assert!(Parser::new(content_type).is_err(), "{content_type}");
        }
        assert!(Parser::new("Multipart/Form-Data; charset=x; boundary=\"a b\"").is_ok());
    }
}
