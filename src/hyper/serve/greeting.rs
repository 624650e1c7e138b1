//! The first bytes of a connection, which tell HTTP/1 from HTTP/2.
//!
//! hyper's time-out for a request's head begins when the protocol is known, so a
//! peer that says nothing, or half of HTTP/2's preface, would stay for ever. Here
//! the clock runs from the first read that has to wait until the protocol is
//! known. Here, too, a peer is cut off that speaks the one that is not wanted.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::time::{Sleep, sleep};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The only protocol that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Only {
    Http1,
    Http2,
}

pub(super) struct Greeting<S> {
    stream: S,
    wait: Option<Wait>,
}

/// Only as long as the protocol is not known.
struct Wait {
    /// `None` is for ever.
    patience: Option<Duration>,
    only: Option<Only>,
    /// From the first read that has to wait.
    sleep: Option<Box<Sleep>>,
    /// How much of the preface has come.
    matched: usize,
}

impl<S> Greeting<S> {
    /// Gives the peer so long; `None` is for ever.
    pub(super) fn new(stream: S, patience: Option<Duration>, only: Option<Only>) -> Greeting<S> {
        let wait = Wait {
            patience,
            only,
            sleep: None,
            matched: 0,
        };
        let matters = patience.is_some() || only.is_some();
        Greeting {
            stream,
            wait: matters.then_some(wait),
        }
    }
}

fn refused() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the peer does not speak the only HTTP that is served here",
    )
}

impl Wait {
    /// Whether these bytes, or the end without any, tell the protocol.
    ///
    /// # Errors
    /// If it is not the one that is wanted.
    fn decides(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let expected = &PREFACE[self.matched..];
        let len = bytes.len().min(expected.len());
        if len == 0 {
            return Ok(true);
        }
        self.matched += len;
        let spoken = if bytes[..len] != expected[..len] {
            Only::Http1
        } else if self.matched == PREFACE.len() {
            Only::Http2
        } else {
            return Ok(false);
        };
        match self.only {
            Some(only) if only != spoken => Err(refused()),
            _ => Ok(true),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(patience) = self.patience else {
            return Poll::Pending;
        };
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
                let decided = wait.decides(first.filled())?;
                buf.put_slice(first.filled());
                if decided {
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

    fn wait(only: Option<Only>) -> Wait {
        Wait {
            patience: None,
            only,
            sleep: None,
            matched: 0,
        }
    }

    /// Errors cannot be compared, but for their kinds.
    fn step(wait: &mut Wait, bytes: &[u8]) -> Result<bool, io::ErrorKind> {
        wait.decides(bytes).map_err(|error| error.kind())
    }

    const REFUSED: Result<bool, io::ErrorKind> = Err(io::ErrorKind::InvalidData);

    #[test]
    fn the_first_byte_that_differs_decides() {
        for n in 0..PREFACE.len() {
            for (only, expected) in [
                (None, Ok(true)),
                (Some(Only::Http1), Ok(true)),
                (Some(Only::Http2), REFUSED),
            ] {
                let mut wait = wait(only);
                for byte in &PREFACE[..n] {
                    assert_eq!(step(&mut wait, &[*byte]), Ok(false), "{n}");
                }
                assert_eq!(step(&mut wait, b"x"), expected, "{n}");
            }
        }
    }

    #[test]
    fn the_whole_preface_decides_in_whatever_pieces() {
        for (only, expected) in [
            (None, Ok(true)),
            (Some(Only::Http1), REFUSED),
            (Some(Only::Http2), Ok(true)),
        ] {
            assert_eq!(step(&mut wait(only), PREFACE), expected);
            for cut in 1..PREFACE.len() {
                let mut wait = wait(only);
                assert_eq!(step(&mut wait, &PREFACE[..cut]), Ok(false), "{cut}");
                assert_eq!(step(&mut wait, &PREFACE[cut..]), expected, "{cut}");
            }
        }
    }

    #[test]
    fn an_end_without_a_word_decides() {
        for only in [None, Some(Only::Http1), Some(Only::Http2)] {
            assert_eq!(step(&mut wait(only), b""), Ok(true));
        }
    }
}
