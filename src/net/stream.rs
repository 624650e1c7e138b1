//! What TCP and Unix streams have in common: the system calls, and the traits.
//!
//! These are plain stream sockets, so a short read means that the buffer was
//! empty and a short write that it was full: the next operation waits for an
//! event without being tried. The last byte before the end of a stream is no
//! exception, for the reactor remembers a hang-up.

mod futures_io;
#[cfg(feature = "hyper")]
mod hyper_rt;
mod methods;
#[cfg(feature = "tokio-io")]
mod tokio_io;

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::Location;
use std::task::{Context, Poll};

use gmp_reactor::{Direction, Drained};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::SockRef;

pub(super) use self::methods::stream_methods;
use crate::async_io::Io;

/// [`TcpStream`](super::TcpStream) and [`UnixStream`](super::UnixStream): what
/// the halves of a split stream are halves of. Sealed.
pub trait StreamSocket: sealed::Stream {}

pub(super) mod sealed {
    use std::os::fd::{AsFd, OwnedFd};

    use crate::async_io::Io;

    pub trait Stream {
        type Std: AsFd + From<OwnedFd>;

        fn io(&self) -> &Io<Self::Std>;
    }
}

/// A peer that has gone is an error, never a signal.
#[cfg(not(target_vendor = "apple"))]
const QUIETLY: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const QUIETLY: SendFlags = SendFlags::empty();

/// The most buffers that one call takes.
const MAX_SLICES: usize = 1024;

fn moved(n: usize, wanted: usize) -> (usize, Drained) {
    let drained = if n > 0 && n < wanted {
        Drained::Yes
    } else {
        Drained::No
    };
    (n, drained)
}

pub(super) fn recv(fd: &impl AsFd, buf: &mut [u8]) -> io::Result<(usize, Drained)> {
    let wanted = buf.len();
    let (_, n) = rustix::net::recv(fd, buf, RecvFlags::empty())?;
    Ok(moved(n, wanted))
}

fn recv_uninit(fd: &impl AsFd, buf: &mut [MaybeUninit<u8>]) -> io::Result<(usize, Drained)> {
    let wanted = buf.len();
    let (_, n) = rustix::net::recv(fd, buf, RecvFlags::empty())?;
    Ok(moved(n, wanted))
}

pub(super) fn recv_vectored(
    fd: &impl AsFd,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<(usize, Drained)> {
    let count = bufs.len().min(MAX_SLICES);
    let bufs = &mut bufs[..count];
    let wanted = bufs.iter().map(|buf| buf.len()).sum();
    Ok(moved(rustix::io::readv(fd, bufs)?, wanted))
}

pub(super) fn send(fd: &impl AsFd, buf: &[u8]) -> io::Result<(usize, Drained)> {
    let n = rustix::net::send(fd, buf, QUIETLY)?;
    Ok(moved(n, buf.len()))
}

/// One call for all buffers: `sendmsg`, for `writev` cannot be told to be quiet.
pub(super) fn send_vectored(fd: &impl AsFd, bufs: &[IoSlice<'_>]) -> io::Result<(usize, Drained)> {
    let bufs = &bufs[..bufs.len().min(MAX_SLICES)];
    let wanted = bufs.iter().map(|buf| buf.len()).sum();
    let mut no_control = SendAncillaryBuffer::default();
    let n = rustix::net::sendmsg(fd, bufs, &mut no_control, QUIETLY)?;
    Ok(moved(n, wanted))
}

/// A look at what comes next takes nothing away, so it says nothing about what
/// is left.
pub(super) fn peek(fd: &impl AsFd, buf: &mut [u8]) -> io::Result<(usize, Drained)> {
    let (_, n) = rustix::net::recv(fd, buf, RecvFlags::PEEK)?;
    Ok((n, Drained::No))
}

type Place = &'static Location<'static>;

#[inline]
fn poll_read<S: AsFd>(
    io: &Io<S>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
    location: Place,
) -> Poll<io::Result<usize>> {
    if buf.is_empty() {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Read, cx, location, || recv(io, buf))
}

/// Into memory that need not be initialised; the first bytes are afterwards, as
/// many as come back.
#[inline]
#[cfg_attr(
    not(any(feature = "hyper", feature = "tokio-io")),
    expect(dead_code, reason = "only these traits read so")
)]
fn poll_read_uninit<S: AsFd>(
    io: &Io<S>,
    cx: &mut Context<'_>,
    buf: &mut [MaybeUninit<u8>],
    location: Place,
) -> Poll<io::Result<usize>> {
    if buf.is_empty() {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Read, cx, location, || recv_uninit(io, buf))
}

#[inline]
fn poll_read_vectored<S: AsFd>(
    io: &Io<S>,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
    location: Place,
) -> Poll<io::Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Read, cx, location, || recv_vectored(io, bufs))
}

#[inline]
fn poll_write<S: AsFd>(
    io: &Io<S>,
    cx: &mut Context<'_>,
    buf: &[u8],
    location: Place,
) -> Poll<io::Result<usize>> {
    if buf.is_empty() {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Write, cx, location, || send(io, buf))
}

#[inline]
fn poll_write_vectored<S: AsFd>(
    io: &Io<S>,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
    location: Place,
) -> Poll<io::Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Write, cx, location, || send_vectored(io, bufs))
}

/// The end of writing; a peer that has gone already needs none.
pub(super) fn finish<S: AsFd>(io: &Io<S>) -> io::Result<()> {
    match SockRef::from(io).shutdown(Shutdown::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

/// A stream of std, in non-blocking mode and registered.
pub(super) fn from_std<S: AsFd + From<OwnedFd>>(stream: S) -> io::Result<Io<S>> {
    rustix::io::ioctl_fionbio(&stream, true)?;
    Io::new(stream)
}
