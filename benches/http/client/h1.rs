//! HTTP/1.1: one request at a time on a kept connection.

use std::io;
use std::time::Instant;

use bytes::Bytes;

use super::{Talk, unexpected};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const STATUS: &[u8] = b"HTTP/1.1 200 ";
const LENGTH: &str = "content-length";
const END: &[u8] = b"\r\n\r\n";

/// A longer head is none of these servers'.
const LONGEST: usize = 1024;

#[derive(Debug)]
pub(super) struct H1 {
    body: Bytes,
    /// When the open request was sent.
    sent: Option<Instant>,
    /// What has come of the head of its answer.
    head: Vec<u8>,
    /// What has come of the body, once the head is complete.
    come: Option<usize>,
    /// Whether an answer has been compared with `body`.
    compared: bool,
}

impl H1 {
    pub(super) fn new(body: Bytes) -> Self {
        Self {
            body,
            sent: None,
            head: Vec::with_capacity(LONGEST),
            come: None,
            compared: false,
        }
    }

    /// Takes the head's part of `bytes` and returns the rest, if the head ends within it.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> io::Result<Option<&'a [u8]>> {
        let before = self.head.len();
        let room = LONGEST.min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        let end = self.head.windows(END.len()).position(|four| four == END);
        let Some(end) = end else {
            return if self.head.len() < LONGEST {
                Ok(None)
            } else {
                Err(unexpected("a head without an end"))
            };
        };
        let length = length(&self.head[..end])?;
        if length != self.body.len() {
            return Err(unexpected(format!("a body of {length} bytes")));
        }
        self.head.clear();
        Ok(Some(&bytes[end + END.len() - before..]))
    }
}

/// The length of the body that follows this head of a good answer.
fn length(head: &[u8]) -> io::Result<usize> {
    let what = || unexpected(format!("the head {:?}", String::from_utf8_lossy(head)));
    if !head.starts_with(STATUS) {
        return Err(what());
    }
    let text = std::str::from_utf8(head).map_err(|_| what())?;
    text.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(LENGTH))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(what)
}

impl Talk for H1 {
    fn has_room(&self) -> bool {
        self.sent.is_none()
    }

    fn ask(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.sent = Some(now);
        out.extend_from_slice(REQUEST);
    }

    fn hear(
        &mut self,
        bytes: &[u8],
        answered: &mut Vec<Instant>,
        _: &mut Vec<u8>,
    ) -> io::Result<()> {
        let (come, rest) = match self.come {
            Some(come) => (come, bytes),
            None => match self.head(bytes)? {
                Some(rest) => (0, rest),
                None => return Ok(()),
            },
        };
        let expected = self
            .body
            .get(come..come + rest.len())
            .ok_or_else(|| unexpected("more than the answer"))?;
        if !self.compared && rest != expected {
            return Err(unexpected("another body"));
        }
        let come = come + rest.len();
        if come < self.body.len() {
            self.come = Some(come);
            return Ok(());
        }
        let sent = self.sent.take();
        answered.push(sent.ok_or_else(|| unexpected("an answer to nothing"))?);
        self.come = None;
        self.compared = true;
        Ok(())
    }
}
