//! The server's side: one connection, which shakes hands when it is first used.
//!
//! Whoever drives the connection drives the handshake, and that is the connection's
//! own task. A handshake ends in exactly one count: done, or failed, which includes
//! being dropped on the way.

use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::hyper::http::Extensions;
use ::hyper::rt::{Read, ReadBufCursor, Write};
use futures_rustls::rustls::ServerConnection;
use futures_rustls::{Accept, TlsAcceptor, server};

use super::peer::Peer;
use crate::hyper::Io;
use crate::time::{Sleep, sleep};

/// How the handshakes of one [`TlsListener`](super::TlsListener) ended. A clone
/// shows the same counts.
#[derive(Clone, Default)]
pub struct Handshakes {
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
}

impl Handshakes {
    /// How many were completed.
    pub fn done(&self) -> u64 {
        self.counts.done.load(Ordering::Relaxed) // ord: a count
    }

    /// How many were not: by an error, by the time-out, or because the server ended
    /// first.
    pub fn failed(&self) -> u64 {
        self.counts.failed.load(Ordering::Relaxed) // ord: a count
    }
}

impl fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshakes")
            .field("done", &self.done())
            .field("failed", &self.failed())
            .finish()
    }
}

type Tell = Box<dyn Fn(&io::Error) + Send>;

/// Who has to hear of the end of one handshake.
pub(super) struct Report {
    handshakes: Handshakes,
    tell: Option<Tell>,
    open: bool,
}

impl Report {
    pub(super) fn new(handshakes: Handshakes, tell: Option<Tell>) -> Report {
        Report {
            handshakes,
            tell,
            open: true,
        }
    }

    fn done(mut self) {
        self.open = false;
        // ord: a count
        self.handshakes.counts.done.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&mut self, error: &io::Error) {
        self.open = false;
        // ord: a count
        self.handshakes
            .counts
            .failed
            .fetch_add(1, Ordering::Relaxed);
        if let Some(tell) = &self.tell {
            tell(error);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.open {
            let error = "the connection was ended within its TLS handshake";
            self.failed(&io::Error::new(io::ErrorKind::ConnectionAborted, error));
        }
    }
}

/// A connection of a [`TlsListener`](super::TlsListener). It shakes hands at its
/// first read, write or flush; all of them fail if the handshake does.
pub struct TlsStream<S> {
    state: State<S>,
    peer: Peer,
    /// For the requests, the peer among them.
    extensions: Extensions,
}

/// Boxed, as is what comes before it: a session is large, and connections move.
type Opened<S> = Io<server::TlsStream<Io<S>>>;

enum State<S> {
    Shaking(Box<Shaking<S>>),
    Open(Box<Opened<S>>),
    /// The handshake failed, or it never came to one.
    Closed,
}

struct Shaking<S> {
    accept: Accept<Io<S>>,
    deadline: Sleep,
    report: Report,
}

impl<S: Read + Write + Unpin> TlsStream<S> {
    pub(super) fn new(
        acceptor: &TlsAcceptor,
        io: S,
        patience: Duration,
        report: Report,
        mut extensions: Extensions,
    ) -> TlsStream<S> {
        let peer = Peer::default();
        extensions.insert(peer.clone());
        TlsStream {
            peer,
            extensions,
            state: State::Shaking(Box::new(Shaking {
                accept: acceptor.accept(Io::new(io)),
                deadline: sleep(patience),
                report,
            })),
        }
    }

    /// What the peer shows in the handshake, to be kept by whoever wants it: it says
    /// nothing until hands have been shaken.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What rustls knows of the session: protocol, name, certificates. `None`
    /// until hands have been shaken.
    pub fn session(&self) -> Option<&ServerConnection> {
        match &self.state {
            State::Open(stream) => Some(stream.get_ref().get_ref().1),
            _ => None,
        }
    }

    /// Shakes hands, if that has not been done, and returns the stream.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut Opened<S>>>> {
        if let State::Shaking(shaking) = &mut self.state {
            let result = ready!(shaking.poll(cx));
            let State::Shaking(shaking) = mem::replace(&mut self.state, State::Closed) else {
                unreachable!("it has just been polled");
            };
            let mut report = shaking.report;
            match result {
                Ok(stream) => {
                    report.done();
                    self.peer.has_shown(stream.get_ref().1);
                    self.state = State::Open(Box::new(Io::new(stream)));
                }
                Err(error) => {
                    report.failed(&error);
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match &mut self.state {
            State::Open(stream) => Ok(Pin::new(stream)),
            _ => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the TLS handshake of this connection failed",
            )),
        })
    }
}

impl<S: Read + Write + Unpin> Shaking<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<server::TlsStream<Io<S>>>> {
        if let Poll::Ready(result) = Pin::new(&mut self.accept).poll(cx) {
            return Poll::Ready(result);
        }
        ready!(Pin::new(&mut self.deadline).poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer did not finish its TLS handshake in time",
        )))
    }
}

impl<S: Read + Write + Unpin> Read for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_read(cx, buf)
    }
}

impl<S: Read + Write + Unpin> Write for TlsStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_flush(cx)
    }

    /// Says that no more will come, in TLS and then in TCP. Who has not shaken
    /// hands yet is hung up on.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let State::Open(stream) = &mut this.state {
            return Pin::new(stream).poll_shutdown(cx);
        }
        this.state = State::Closed;
        Poll::Ready(Ok(()))
    }

    /// A head and its body make one record, without a copy before the cipher's.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write_vectored(cx, bufs)
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Shaking(_) => "shaking hands",
            State::Open(_) => "open",
            State::Closed => "closed",
        };
        write!(f, "TlsStream({state})")
    }
}
