//! The load: one thread with a fixed number of open requests, the same for every server.
//!
//! Closed loop: an answer is followed by the next request on its connection, so a slow server is asked less. The
//! requests are bytes made beforehand and answers are counted rather than understood, which makes the load cheaper
//! than any server; the first answer of each connection is compared byte by byte.

mod h1;
mod h2;
mod histogram;
mod readiness;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::h1::H1;
use self::h2::H2;
pub(crate) use self::histogram::Histogram;
use self::readiness::Readiness;
use crate::rows::{self, Protocol, Row};

/// A server that sends nothing for so long has hung.
const PATIENCE: Duration = Duration::from_secs(10);

/// One read takes so many bytes at most.
const BUFFER: usize = 256 << 10;

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After this time; what is open then is waited for and not counted.
    Passed(Duration),
    /// When so many requests have been sent and answered.
    Answered(u64),
}

/// What a run has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) wall: Duration,
    pub(crate) latencies: Histogram,
}

/// A connection's side of its protocol.
trait Talk {
    /// Whether another request may be sent.
    fn has_room(&self) -> bool;

    /// Appends a request, sent at `now`, to what goes out.
    fn ask(&mut self, now: Instant, out: &mut Vec<u8>);

    /// Takes what came in. Adds the times at which the requests were sent that are answered now, and what the protocol
    /// wants said in return.
    fn hear(
        &mut self,
        bytes: &[u8],
        answered: &mut Vec<Instant>,
        out: &mut Vec<u8>,
    ) -> io::Result<()>;
}

#[derive(Debug)]
struct Line<T> {
    stream: TcpStream,
    talk: T,
}

/// The connections of one row, with nothing under way between two runs.
pub(crate) struct Client(Box<dyn Load>);

impl Client {
    /// Opens the connections.
    pub(crate) fn connect(addr: SocketAddr, row: &Row) -> io::Result<Self> {
        let body = rows::body(row.body);
        Ok(Self(match row.protocol {
            Protocol::H1 => Box::new(Lines::connect(addr, row, &body, |body, _| H1::new(body))?),
            Protocol::H2 => Box::new(Lines::connect(addr, row, &body, H2::new)?),
        }))
    }

    /// Keeps the server busy.
    ///
    /// # Errors
    /// When the server hangs up, answers what was not asked, or is silent.
    pub(crate) fn run(&mut self, until: Until) -> io::Result<Seen> {
        self.0.run(until)
    }
}

trait Load {
    fn run(&mut self, until: Until) -> io::Result<Seen>;
}

struct Lines<T> {
    lines: Vec<Line<T>>,
    readiness: Readiness,
    buffer: Box<[u8]>,
}

impl<T: Talk> Lines<T> {
    fn connect(
        addr: SocketAddr,
        row: &Row,
        body: &Bytes,
        talk: impl Fn(Bytes, usize) -> T,
    ) -> io::Result<Self> {
        let mut readiness = Readiness::new()?;
        let mut lines = Vec::with_capacity(row.connections);
        for i in 0..row.connections {
            let stream = TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            readiness.add(&stream, i)?;
            let talk = talk(body.clone(), row.streams);
            lines.push(Line { stream, talk });
        }
        Ok(Self {
            lines,
            readiness,
            buffer: vec![0; BUFFER].into(),
        })
    }
}

impl<T: Talk> Load for Lines<T> {
    fn run(&mut self, until: Until) -> io::Result<Seen> {
        let start = Instant::now();
        let (mut unsent, end) = match until {
            Until::Passed(span) => (u64::MAX, Some(start + span)),
            Until::Answered(requests) => (requests, None),
        };
        let mut seen = Seen::default();
        let (mut open, mut out, mut answered) = (0_u64, Vec::new(), Vec::new());
        for line in &mut self.lines {
            while unsent > 0 && line.talk.has_room() {
                line.talk.ask(Instant::now(), &mut out);
                unsent -= 1;
                open += 1;
            }
            send(&line.stream, &mut out)?;
        }
        while open > 0 {
            let ready = self.readiness.wait(PATIENCE)?;
            if ready.is_empty() {
                return Err(io::Error::other(format!(
                    "{open} requests without an answer for {PATIENCE:?}"
                )));
            }
            for i in ready {
                let line = &mut self.lines[i];
                let len = match (&line.stream).read(&mut self.buffer) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(len) => len,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error),
                };
                line.talk
                    .hear(&self.buffer[..len], &mut answered, &mut out)?;
                if !answered.is_empty() {
                    let now = Instant::now();
                    let goes_on = end.is_none_or(|end| now < end);
                    for sent in answered.drain(..) {
                        open -= 1;
                        if goes_on {
                            seen.requests += 1;
                            seen.latencies.note(now - sent);
                        }
                        if goes_on && unsent > 0 {
                            line.talk.ask(now, &mut out);
                            unsent -= 1;
                            open += 1;
                        }
                    }
                }
                send(&line.stream, &mut out)?;
            }
        }
        seen.wall = match until {
            Until::Passed(span) => span,
            Until::Answered(_) => start.elapsed(),
        };
        Ok(seen)
    }
}

/// Sends all that is in `out`. There is always room for it: a connection has its few requests under way, and no more.
fn send(mut stream: &TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    if !out.is_empty() {
        stream.write_all(out)?;
        out.clear();
    }
    Ok(())
}

/// What a server must not have said.
fn unexpected(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}
