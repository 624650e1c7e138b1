//! The standard input.
//!
//! A duplicate of descriptor 0 is registered with the netpoller, which asks for no
//! non-blocking mode. Bytes are taken only by a read that was told that some are
//! there, straight into the caller's buffer, so a read that is given up has taken
//! none. Where the system can be asked to read without waiting, it is. Elsewhere
//! another process might take the bytes between the question and the read: then the
//! read blocks, in a blocking section, until there are more.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures::io::AsyncRead;
use gmp_executor::leaf;
use gmp_reactor::{Direction, Drained};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::async_io::Io;
use crate::task::block_in_place;

/// The standard input of this process.
///
/// Reading is in `futures::io::AsyncReadExt`; lines are read by a
/// `futures::io::BufReader` around it, which should live as long as the input is
/// read, for it reads ahead. So does [`std::io::stdin`]: what that has buffered is
/// not seen here.
///
/// A handle belongs to the runtime on which it is first read from. Any number of
/// handles may read at once: each byte goes to one of them.
///
/// ```no_run
/// use futures::StreamExt;
/// use futures::io::{AsyncBufReadExt, BufReader};
///
/// # fn main() -> std::io::Result<()> {
/// gmp::block_on(async {
///     let mut lines = BufReader::new(gmp::io::stdin()).lines();
///     while let Some(line) = lines.next().await {
///         println!("{}", line?.to_uppercase());
///     }
///     Ok(())
/// })
/// # }
/// ```
pub fn stdin() -> Stdin {
    Stdin {
        std: io::stdin(),
        input: None,
    }
}

/// The standard input; see [`stdin`].
///
/// # Errors
/// A read returns the system's; one of kind `Other` when the runtime on which the
/// handle was first read from has shut down.
///
/// # Cancel safety
/// A read that is given up has taken no bytes.
pub struct Stdin {
    std: io::Stdin,
    /// Made by the first read.
    input: Option<Input>,
}

enum Input {
    /// A pipe, a socket, a terminal.
    Stream(Io<OwnedFd>),
    /// A regular file, or a device that always has an answer.
    File,
}

impl Input {
    fn open(std: &io::Stdin) -> io::Result<Input> {
        match Io::new(std.as_fd().try_clone_to_owned()?) {
            Ok(io) => Ok(Input::Stream(io)),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::PERM) => Ok(Input::File),
            Err(error) => Err(error),
        }
    }
}

/// What is there now; `WouldBlock` if nothing is.
fn read_ready(fd: &impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    match read_nowait(fd, buf) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => read_if_ready(fd, buf),
        result => Ok(result?),
    }
}

#[cfg(target_os = "linux")]
fn read_nowait(fd: &impl AsFd, buf: &mut [u8]) -> Result<usize, Errno> {
    use rustix::io::{ReadWriteFlags, preadv2};

    /// Stands for the position that the open file has, if it has one.
    const HERE: u64 = u64::MAX;
    let mut bufs = [io::IoSliceMut::new(buf)];
    preadv2(fd, &mut bufs, HERE, ReadWriteFlags::NOWAIT)
}

#[cfg(not(target_os = "linux"))]
fn read_nowait(_: &impl AsFd, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// As [`read_ready`], in two steps.
fn read_if_ready(fd: &impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    /// Keeps the readers of this process out of each other's two steps.
    static STEPS: Mutex<()> = Mutex::new(());
    block_in_place(|| {
        let _steps = STEPS.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timespec::default();
        match rustix::event::poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(rustix::io::read(fd, buf)?),
        }
    })
}

impl AsyncRead for Stdin {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let location = Location::caller();
        let this = self.get_mut();
        let input = match &mut this.input {
            Some(input) => input,
            none => none.insert(Input::open(&this.std)?),
        };
        match input {
            Input::Stream(io) => io.poll_io(Direction::Read, cx, location, || {
                Ok((read_ready(io, buf)?, Drained::No))
            }),
            Input::File => {
                ready!(leaf::poll_check(cx));
                Poll::Ready(block_in_place(|| {
                    rustix::io::retry_on_intr(|| rustix::io::read(&this.std, &mut *buf))
                        .map_err(io::Error::from)
                }))
            }
        }
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn two_steps_read_what_is_there_and_never_wait() {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let mut buf = [0; 8];
        let error = read_if_ready(&near, &mut buf).expect_err("nothing is there");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        far.write_all(b"some").expect("room");
        assert_eq!(read_if_ready(&near, &mut buf).expect("bytes"), 4);
        assert_eq!(&buf[..4], b"some");
        drop(far);
        assert_eq!(read_if_ready(&near, &mut buf).expect("the end"), 0);
    }
}
