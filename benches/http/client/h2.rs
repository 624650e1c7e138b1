//! HTTP/2 with prior knowledge: as much of it as it takes to count answers.
//!
//! A request is one frame whose fields need no table. Of the answers' fields only the first is read, which is the
//! status. Windows are opened so wide at the start that they say nothing about the server.

use std::io;
use std::time::Instant;

use bytes::Bytes;

use super::{Talk, unexpected};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// GET http / by the static table, and an authority written out.
const REQUEST: &[u8] = b"\x82\x86\x84\x01\x09localhost";

/// `:status: 200` by the static table.
const OK: u8 = 0x88;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 0x1;
/// On SETTINGS and PING.
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

const INITIAL_WINDOW_SIZE: u16 = 4;
const WIDEST: u32 = (1 << 31) - 1;
/// A connection's window before it is opened wider.
const NARROW: u32 = 65_535;
/// So much of the connection's window is used before it is opened again.
const USED: u32 = 1 << 30;

const HEAD: usize = 9;

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    /// Bytes of the payload that have not come yet.
    left: usize,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    sent: Instant,
    /// Whether the status was good.
    good: bool,
    /// Bytes of the body.
    come: usize,
}

#[derive(Debug)]
pub(super) struct H2 {
    body: Bytes,
    most: usize,
    next: u32,
    streams: Vec<Stream>,
    /// What has come of the next frame's head.
    head: Vec<u8>,
    frame: Option<Frame>,
    /// What has come of the payload of a frame that is looked at.
    payload: Vec<u8>,
    used: u32,
}

impl H2 {
    /// At most `streams` requests are open at once.
    pub(super) fn new(body: Bytes, streams: usize) -> Self {
        Self {
            body,
            most: streams,
            next: 1,
            streams: Vec::with_capacity(streams),
            head: Vec::with_capacity(HEAD),
            frame: None,
            payload: Vec::new(),
            used: 0,
        }
    }

    /// Takes a part of the payload of `frame`.
    fn part(&mut self, frame: Frame, bytes: &[u8]) -> io::Result<()> {
        match frame.kind {
            DATA => {
                let stream = find(&mut self.streams, frame.stream)?;
                let end = stream.come + bytes.len();
                let expected = self
                    .body
                    .get(stream.come..end)
                    .ok_or_else(|| unexpected("more than the answer"))?;
                if stream.id == 1 && bytes != expected {
                    return Err(unexpected("another body"));
                }
                stream.come = end;
                self.used += bytes.len() as u32;
            }
            HEADERS | PING => self.payload.extend_from_slice(bytes),
            _ => {}
        }
        Ok(())
    }

    /// All of the payload has come.
    fn end(
        &mut self,
        frame: Frame,
        answered: &mut Vec<Instant>,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        match frame.kind {
            DATA if self.used >= USED => {
                put(out, WINDOW_UPDATE, 0, 0, &self.used.to_be_bytes());
                self.used = 0;
            }
            HEADERS => {
                let good = self.payload.first() == Some(&OK) && frame.flags & END_HEADERS != 0;
                find(&mut self.streams, frame.stream)?.good |= good;
            }
            SETTINGS if frame.flags & ACK == 0 => put(out, SETTINGS, ACK, 0, &[]),
            PING if frame.flags & ACK == 0 => put(out, PING, ACK, 0, &self.payload),
            RST_STREAM | GOAWAY => return Err(unexpected("an end before the answer")),
            _ => {}
        }
        self.payload.clear();
        if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
            let stream = find(&mut self.streams, frame.stream)?;
            if !stream.good || stream.come != self.body.len() {
                return Err(unexpected(format!("the answer {stream:?}")));
            }
            answered.push(stream.sent);
            self.streams.retain(|stream| stream.id != frame.stream);
        }
        Ok(())
    }
}

fn find(streams: &mut [Stream], id: u32) -> io::Result<&mut Stream> {
    streams
        .iter_mut()
        .find(|stream| stream.id == id)
        .ok_or_else(|| unexpected(format!("a frame for stream {id}")))
}

/// Reads the head of a frame.
fn frame(head: &[u8]) -> io::Result<Frame> {
    let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = head else {
        unreachable!("a head has nine bytes");
    };
    if matches!(kind, DATA | HEADERS) && flags & (PADDED | PRIORITY) != 0 {
        return Err(unexpected("padding"));
    }
    Ok(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes([s0, s1, s2, s3]) & WIDEST,
        left: u32::from_be_bytes([0, l0, l1, l2]) as usize,
    })
}

/// Appends a frame.
fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let len = payload.len() as u32;
    out.extend_from_slice(&len.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

impl Talk for H2 {
    fn has_room(&self) -> bool {
        self.streams.len() < self.most
    }

    fn ask(&mut self, now: Instant, out: &mut Vec<u8>) {
        if self.next == 1 {
            out.extend_from_slice(PREFACE);
            let mut setting = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
            setting.extend_from_slice(&WIDEST.to_be_bytes());
            put(out, SETTINGS, 0, 0, &setting);
            let wider = WIDEST - NARROW;
            put(out, WINDOW_UPDATE, 0, 0, &wider.to_be_bytes());
        }
        put(out, HEADERS, END_STREAM | END_HEADERS, self.next, REQUEST);
        self.streams.push(Stream {
            id: self.next,
            sent: now,
            good: false,
            come: 0,
        });
        self.next += 2;
    }

    fn hear(
        &mut self,
        mut bytes: &[u8],
        answered: &mut Vec<Instant>,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        loop {
            if self.frame.is_none() {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                if self.head.len() < HEAD {
                    return Ok(());
                }
                self.frame = Some(frame(&self.head)?);
                self.head.clear();
            }
            let Some(frame) = &mut self.frame else {
                unreachable!("made above");
            };
            let (part, rest) = bytes.split_at(bytes.len().min(frame.left));
            bytes = rest;
            frame.left -= part.len();
            let frame = *frame;
            self.part(frame, part)?;
            if frame.left > 0 {
                return Ok(());
            }
            self.frame = None;
            self.end(frame, answered, out)?;
        }
    }
}
