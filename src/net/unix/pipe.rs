//! Pipes: named ones, by [`OpenOptions`], and those of one process and its children,
//! by [`pipe`].
//!
//! Bytes go one way, from [`Sender`] to [`Receiver`]; there may be several of each.
//! Reading and writing are in `futures::io::{AsyncReadExt, AsyncWriteExt}`. A receiver
//! reads the end of the stream when no sender is left, and what a later one sends
//! after that; a sender without a receiver gets `BrokenPipe`.
//!
//! ```
//! use futures::io::{AsyncReadExt, AsyncWriteExt};
//! use gmp::net::unix::pipe;
//!
//! # fn main() -> std::io::Result<()> {
//! gmp::block_on(async {
//!     let (mut tx, mut rx) = pipe::pipe()?;
//!     let writer = gmp::spawn(async move { tx.write_all(b"hello").await });
//!     let mut text = String::new();
//!     // To the end, which comes with the drop of the sender.
//!     rx.read_to_string(&mut text).await?;
//!     assert_eq!(text, "hello");
//!     writer.await.expect("no panic")
//! })
//! # }
//! ```

#[cfg(feature = "tokio-io")]
mod tokio_io;

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::AsyncWrite;
use gmp_reactor::Direction;

use crate::async_io::{Io, plain};

/// A pipe without a name.
///
/// # Errors
/// The system's: too many open files.
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (receiver, sender) = io::pipe()?;
    let io = plain::open(sender.into())?;
    Ok((
        Sender { io },
        Receiver {
            io: plain::open(receiver.into())?,
        },
    ))
}

/// How a named pipe is opened.
///
/// ```
/// use futures::io::{AsyncReadExt, AsyncWriteExt};
/// use gmp::net::unix::pipe::OpenOptions;
///
/// # fn main() -> std::io::Result<()> {
/// # let path = std::env::temp_dir().join(format!("gmp-doc-pipe-{}", std::process::id()));
/// # assert!(std::process::Command::new("mkfifo").arg(&path).status()?.success());
/// # gmp::block_on(async {
/// let mut rx = OpenOptions::new().open_receiver(&path)?;
/// let mut tx = OpenOptions::new().open_sender(&path)?;
/// tx.write_all(b"hello").await?;
/// let mut buf = [0; 5];
/// rx.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"hello");
/// # std::fs::remove_file(&path)
/// # })
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    #[cfg(target_os = "linux")]
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// For one direction, of what is a pipe.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// Opens it for both directions, so that a sender needs no receiver and a receiver
    /// never reads the end: it counts as either itself. On Linux alone.
    #[cfg(target_os = "linux")]
    pub fn read_write(&mut self, on: bool) -> &mut OpenOptions {
        self.read_write = on;
        self
    }

    /// Takes whatever is at the path for a pipe.
    pub fn unchecked(&mut self, on: bool) -> &mut OpenOptions {
        self.unchecked = on;
        self
    }

    /// Opens the pipe at `path` to receive. Does not wait for a sender: until there is
    /// one, a read finds the end of the stream. Whoever wants to wait for the first one
    /// opens it both ways, or keeps a sender.
    ///
    /// # Errors
    /// The system's: `NotFound`, `PermissionDenied`; `InvalidInput` for what is no pipe.
    pub fn open_receiver(&self, path: impl AsRef<Path>) -> io::Result<Receiver> {
        let mut options = File::options();
        options.read(true).write(self.is_both());
        self.open(&options, path.as_ref()).map(|io| Receiver { io })
    }

    /// Opens the pipe at `path` to send.
    ///
    /// # Errors
    /// The system's: `NotFound`, `PermissionDenied`, and the one with the number `ENXIO`
    /// while nobody has it open to receive; `InvalidInput` for what is no pipe.
    pub fn open_sender(&self, path: impl AsRef<Path>) -> io::Result<Sender> {
        let mut options = File::options();
        options.write(true).read(self.is_both());
        self.open(&options, path.as_ref()).map(|io| Sender { io })
    }

    #[cfg(target_os = "linux")]
    fn is_both(&self) -> bool {
        self.read_write
    }

    #[cfg(not(target_os = "linux"))]
    fn is_both(&self) -> bool {
        false
    }

    fn open(&self, options: &std::fs::OpenOptions, path: &Path) -> io::Result<Io<OwnedFd>> {
        let mut options = options.clone();
        let file = options.custom_flags(libc::O_NONBLOCK).open(path)?;
        if !self.unchecked {
            check_pipe(&file)?;
        }
        plain::open(file.into())
    }
}

fn check_pipe(file: &File) -> io::Result<()> {
    if file.metadata()?.file_type().is_fifo() {
        Ok(())
    } else {
        Err(invalid("not a pipe"))
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// The end where bytes go in. Dropping it closes it.
///
/// A write that is ready is in the pipe, and one that is dropped before has written
/// nothing. `close` of `futures::io::AsyncWriteExt` does nothing: a receiver reads the
/// end when the sender is dropped.
#[derive(Debug)]
pub struct Sender {
    io: Io<OwnedFd>,
}

/// The end where bytes come out. Dropping it closes it.
///
/// Reading is cancel safe: bytes that a read did not return stay in the pipe.
#[derive(Debug)]
pub struct Receiver {
    io: Io<OwnedFd>,
}

macro_rules! both {
    ($kind:ident, $check:expr) => {
        /// One that was opened as a file, which is put into non-blocking mode.
        ///
        /// # Errors
        /// `InvalidInput` if it is no pipe, or not open for this direction; the
        /// system's.
        pub fn from_file(file: File) -> io::Result<$kind> {
            check_pipe(&file)?;
            $check(&file)?;
            $kind::from_file_unchecked(file)
        }

        /// As [`from_file`](Self::from_file), of a descriptor.
        ///
        /// # Errors
        /// As there.
        pub fn from_owned_fd(fd: OwnedFd) -> io::Result<$kind> {
            $kind::from_file(fd.into())
        }

        /// As [`from_file`](Self::from_file), whatever it is.
        ///
        /// # Errors
        /// The system's.
        pub fn from_file_unchecked(file: File) -> io::Result<$kind> {
            $kind::from_owned_fd_unchecked(file.into())
        }

        /// As [`from_owned_fd`](Self::from_owned_fd), whatever it is.
        ///
        /// # Errors
        /// The system's.
        pub fn from_owned_fd_unchecked(fd: OwnedFd) -> io::Result<$kind> {
            plain::open(fd).map(|io| $kind { io })
        }

        /// The descriptor, in blocking mode again and not registered any more: as a
        /// child wants it.
        ///
        /// # Errors
        /// The system's.
        pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
            plain::close(self.io)
        }

        /// The descriptor, still in non-blocking mode and not registered any more.
        ///
        /// # Errors
        /// None at present.
        pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
            Ok(self.io.into_inner())
        }

        crate::async_io::interest_methods!(io);
        crate::async_io::deadline_methods!(io);
    };
}

// Of no bytes, both do nothing but to look at how the descriptor was opened.
fn check_read(file: &File) -> io::Result<()> {
    rustix::io::read(file, &mut [0_u8; 0]).map_err(|_| invalid("not open to receive"))?;
    Ok(())
}

fn check_write(file: &File) -> io::Result<()> {
    rustix::io::write(file, &[]).map_err(|_| invalid("not open to send"))?;
    Ok(())
}

impl Sender {
    both!(Sender, check_write);

    /// Waits until writing is worth a try.
    ///
    /// # Errors
    /// `TimedOut` after the write deadline; an error of kind `Other` when the runtime
    /// has shut down.
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.io.readiness(Direction::Write, Location::caller())
    }

    /// As [`writable`](Self::writable), for hand-written futures.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io
            .poll_readiness(Direction::Write, cx, Location::caller())
    }

    /// Writes what there is room for; up to `PIPE_BUF` bytes (4096 on Linux) all or
    /// none.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; `BrokenPipe` if nobody receives; else the
    /// system's.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .try_io(Direction::Write, || plain::write(&self.io, buf))
    }

    /// As [`try_write`](Self::try_write), from several buffers.
    ///
    /// # Errors
    /// As there.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io
            .try_io(Direction::Write, || plain::writev(&self.io, bufs))
    }
}

impl Receiver {
    both!(Receiver, check_read);

    /// Waits until reading is worth a try: bytes, the end of the stream, or an error
    /// may be there.
    ///
    /// # Errors
    /// `TimedOut` after the read deadline; an error of kind `Other` when the runtime
    /// has shut down.
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.io.readiness(Direction::Read, Location::caller())
    }

    /// As [`readable`](Self::readable), for hand-written futures.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io
            .poll_readiness(Direction::Read, cx, Location::caller())
    }

    /// Reads what is there; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else the system's.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .try_io(Direction::Read, || plain::read(&self.io, buf))
    }

    /// As [`try_read`](Self::try_read), into several buffers.
    ///
    /// # Errors
    /// As there.
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io
            .try_io(Direction::Read, || plain::readv(&self.io, bufs))
    }
}

plain::async_read!(Receiver);

impl AsyncWrite for Sender {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        plain::poll_write(&self.io, cx, buf, Location::caller())
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        plain::poll_write_vectored(&self.io, cx, bufs, Location::caller())
    }

    /// Nothing is kept here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Nothing is kept here, and the drop closes.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

macro_rules! descriptors {
    ($($kind:ident),*) => {
        $(
            impl AsFd for $kind {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.io.as_fd()
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

descriptors!(Sender, Receiver);
