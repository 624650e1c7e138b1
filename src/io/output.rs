//! The standard output, and the one for errors.
//!
//! Each write is std's, as a whole where it is awaited. A descriptor that somebody
//! else has put into non-blocking mode is waited for within the blocking section:
//! the order of the bytes is worth more than a thread.

use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::AsyncWrite;
use gmp_executor::leaf;
use rustix::event::{PollFd, PollFlags};

use crate::task::block_in_place;

/// The standard output of this process, with the buffer of [`std::io::stdout`].
///
/// What is written reaches the reader at the end of a line, by a flush, and at the
/// end of `main` or in [`std::process::exit`]; text without an end of line is lost
/// when the process ends in another way, by a signal or an abort.
///
/// ```
/// use futures::io::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// # gmp::block_on(async {
/// let mut out = gmp::io::stdout();
/// out.write_all(b"ready? ").await?;
/// out.flush().await
/// # })
/// # }
/// ```
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

/// The standard output for errors of this process, which has no buffer.
///
/// ```
/// use futures::io::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// # gmp::block_on(async {
/// gmp::io::stderr().write_all(b"a warning\n").await
/// # })
/// # }
/// ```
pub fn stderr() -> Stderr {
    Stderr(io::stderr())
}

/// The standard output; see [`stdout`].
///
/// A write waits, with its P running other tasks, while the reader is slow or while
/// another thread of this process is writing.
///
/// # Errors
/// A write and a flush return the system's; `BrokenPipe` when the reader is gone.
///
/// # Cancel safety
/// A write that is given up has not begun.
#[derive(Debug)]
pub struct Stdout(io::Stdout);

/// The standard output for errors; see [`stderr`].
///
/// Waits, errors and cancel safety are those of [`Stdout`].
#[derive(Debug)]
pub struct Stderr(io::Stderr);

/// The check of a leaf, then the call as a whole, again while it says that it was
/// interrupted or would block.
#[track_caller]
fn poll_inline<R>(
    cx: &mut Context<'_>,
    fd: &impl AsFd,
    mut call: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    ready!(leaf::poll_check(cx));
    Poll::Ready(block_in_place(|| {
        loop {
            match call() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A signal ends the wait early, which costs one more try.
                    let _ = rustix::event::poll(&mut [PollFd::new(fd, PollFlags::OUT)], None);
                }
                result => return result,
            }
        }
    }))
}

macro_rules! output {
    ($($kind:ident),*) => {
        $(
            impl AsyncWrite for $kind {
                #[track_caller]
                fn poll_write(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &[u8],
                ) -> Poll<io::Result<usize>> {
                    poll_inline(cx, &*self, || (&self.0).write(buf))
                }

                #[track_caller]
                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    poll_inline(cx, &*self, || (&self.0).write_vectored(bufs))
                }

                #[track_caller]
                fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                    poll_inline(cx, &*self, || (&self.0).flush())
                }

                /// Flushes; the stream is the process's and stays open.
                #[track_caller]
                fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                    self.poll_flush(cx)
                }
            }

            impl AsFd for $kind {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.0.as_fd()
                }
            }

            impl AsRawFd for $kind {
                fn as_raw_fd(&self) -> RawFd {
                    self.as_fd().as_raw_fd()
                }
            }
        )*
    };
}

output!(Stdout, Stderr);
