//! The end of a connection that the server closes while its peer still sends.
//!
//! Closing a socket with unread data resets the connection, and a reset may
//! overtake the last answer: who uploads too much would see a broken pipe
//! and not the 413. So such a connection is read on for a moment, by a task of its
//! own, until the peer has seen the end.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use ::hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::runtime::Handle;
use crate::time::timeout;

/// Go's server waits as long.
const MOMENT: Duration = Duration::from_millis(500);

pub(super) struct Farewell<S: Read + Unpin + Send + 'static> {
    /// Gone within the drop alone.
    stream: Option<S>,
    /// Our end has been sent.
    shut: bool,
}

impl<S: Read + Unpin + Send + 'static> Farewell<S> {
    pub(super) fn new(stream: S) -> Farewell<S> {
        Farewell {
            stream: Some(stream),
            shut: false,
        }
    }

    fn stream(&mut self) -> Pin<&mut S> {
        Pin::new(self.stream.as_mut().expect("only the drop takes it"))
    }
}

/// How many bytes came, of those that nobody wants any more.
fn poll_discard<S: Read + Unpin>(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut bytes = [MaybeUninit::uninit(); 4096];
    let mut bytes = ReadBuf::uninit(&mut bytes);
    ready!(Pin::new(stream).poll_read(cx, bytes.unfilled()))?;
    Poll::Ready(Ok(bytes.filled().len()))
}

async fn discard<S: Read + Unpin>(mut stream: S) {
    while let Ok(1..) = std::future::poll_fn(|cx| poll_discard(&mut stream, cx)).await {}
}

impl<S: Read + Unpin + Send + 'static> Drop for Farewell<S> {
    fn drop(&mut self) {
        // A connection that was not shut down was given up, not ended.
        if !self.shut {
            return;
        }
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(1..)) = poll_discard(&mut stream, &mut cx)
            && let Ok(runtime) = Handle::try_current()
        {
            let rest = async {
                let _ = timeout(MOMENT, discard(stream)).await;
            };
            drop(runtime.spawn_named("http farewell", rest));
        }
    }
}

impl<S: Read + Unpin + Send + 'static> Read for Farewell<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl<S: Read + Write + Unpin + Send + 'static> Write for Farewell<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream().poll_shutdown(cx))?;
        self.shut = true;
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(Write::is_write_vectored)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bufs)
    }
}
