//! The first bytes of a connection, which tell HTTP/1 from HTTP/2.
//!
//! hyper's time-out for a request's head begins when the protocol is known, so a
//! peer that says nothing, or half of HTTP/2's preface, would stay for ever. Here
//! the clock runs from the first read that has to wait until the protocol is
//! known.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::time::{Sleep, sleep};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct Greeting<S> {
    stream: S,
    wait: Option<Wait>,
}

/// Only as long as the protocol is not known.
struct Wait {
    patience: Duration,
    /// From the first read that has to wait.
    sleep: Option<Box<Sleep>>,
    /// How much of the preface has come.
    matched: usize,
}

impl<S> Greeting<S> {
    /// Gives the peer so long; `None` is for ever.
    pub(super) fn new(stream: S, patience: Option<Duration>) -> Greeting<S> {
        let wait = patience.map(|patience| Wait {
            patience,
            sleep: None,
            matched: 0,
        });
        Greeting { stream, wait }
    }
}

impl Wait {
    /// Whether these bytes, or the end without any, tell the protocol.
    fn decides(&mut self, bytes: &[u8]) -> bool {
        let expected = &PREFACE[self.matched..];
        let len = bytes.len().min(expected.len());
        self.matched += len;
        len == 0 || bytes[..len] != expected[..len] || self.matched == PREFACE.len()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let patience = self.patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::new(sleep(patience)));
        ready!(Pin::new(&mut **sleep).poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer did not say which HTTP it speaks in time",
        )))
    }
}

impl<S: Read + Unpin> Read for Greeting<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stream = Pin::new(&mut this.stream);
        let Some(wait) = &mut this.wait else {
            return stream.poll_read(cx, buf);
        };
        // Through a small buffer: a cursor does not show what it was given.
        let mut first = [MaybeUninit::uninit(); PREFACE.len()];
        let room = first.len().min(buf.remaining());
        let mut first = ReadBuf::uninit(&mut first[..room]);
        match stream.poll_read(cx, first.unfilled()) {
            Poll::Ready(result) => {
                result?;
                buf.put_slice(first.filled());
                if wait.decides(first.filled()) {
                    this.wait = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => wait.poll(cx),
        }
    }
}

impl<S: Write + Unpin> Write for Greeting<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait() -> Wait {
        Wait {
            patience: Duration::ZERO,
            sleep: None,
            matched: 0,
        }
    }

    #[test]
    fn the_first_byte_that_differs_decides() {
        for n in 0..PREFACE.len() {
            let mut wait = wait();
            for byte in &PREFACE[..n] {
                assert!(!wait.decides(&[*byte]), "{n}");
            }
            assert!(wait.decides(b"x"), "{n}");
        }
    }

    #[test]
    fn the_whole_preface_decides_in_whatever_pieces() {
        assert!(wait().decides(PREFACE));
        for cut in 1..PREFACE.len() {
            let mut wait = wait();
            assert!(!wait.decides(&PREFACE[..cut]), "{cut}");
            assert!(wait.decides(&PREFACE[cut..]), "{cut}");
        }
    }

    #[test]
    fn an_end_without_a_word_decides() {
        assert!(wait().decides(b""));
    }
}
