//! What is asked of every server.

use std::fmt;

use bytes::Bytes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    H1,
    /// Without TLS, with prior knowledge.
    H2,
}

impl Protocol {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::H1, Self::H2]
            .into_iter()
            .find(|protocol| protocol.to_string() == name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) connections: usize,
    /// Requests that are open on one connection at once.
    pub(crate) streams: usize,
    /// Bytes of an answer's body.
    pub(crate) body: usize,
    pub(crate) about: &'static str,
}

impl Row {
    /// Requests that are open at once.
    pub(crate) fn open(&self) -> u64 {
        (self.connections * self.streams) as u64
    }
}

const fn h1(name: &'static str, connections: usize, body: usize, about: &'static str) -> Row {
    Row {
        name,
        protocol: Protocol::H1,
        connections,
        streams: 1,
        body,
        about,
    }
}

const fn h2(
    name: &'static str,
    [connections, streams]: [usize; 2],
    body: usize,
    about: &'static str,
) -> Row {
    Row {
        name,
        protocol: Protocol::H2,
        connections,
        streams,
        body,
        about,
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

#[rustfmt::skip]
pub(crate) static ROWS: &[Row] = &[
    h1("h1_64", 64, HELLO.len(), "HTTP/1.1, 64 kept connections, hello world"),
    h1("h1_512", 512, HELLO.len(), "HTTP/1.1, 512 kept connections, hello world"),
    h1("h1_1k", 64, KIB, "HTTP/1.1, 64 kept connections, bodies of 1 KiB"),
    h1("h1_1m", 16, MIB, "HTTP/1.1, 16 kept connections, bodies of 1 MiB"),
    h2("h2_4x16", [4, 16], HELLO.len(), "HTTP/2, 4 connections with 16 streams each, hello world"),
    h2("h2_1m", [4, 4], MIB, "HTTP/2, 4 connections with 4 streams each, bodies of 1 MiB"),
];

const HELLO: &[u8] = b"Hello, World!";

/// The byte at each place of a body: the greeting, over and over.
pub(crate) fn body(len: usize) -> Bytes {
    HELLO.iter().copied().cycle().take(len).collect()
}
