//! Reads and writes of a descriptor of any kind: `read` and `write`, as the pipes of
//! children and named pipes use them.
//!
//! After a short read the descriptor is asked once more before the task waits, and so
//! after a short write: what was given need not be a pipe.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::task::{Context, Poll};

use gmp_reactor::{Direction, Drained};

use super::Io;

type Place = &'static Location<'static>;

/// Registers the descriptor, in non-blocking mode.
pub(crate) fn open(fd: OwnedFd) -> io::Result<Io<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Io::new(fd)
}

/// The descriptor as others want it: blocking.
pub(crate) fn close(io: Io<OwnedFd>) -> io::Result<OwnedFd> {
    let fd = io.into_inner();
    rustix::io::ioctl_fionbio(&fd, false)?;
    Ok(fd)
}

pub(crate) fn read(io: &Io<OwnedFd>, buf: &mut [u8]) -> io::Result<(usize, Drained)> {
    Ok((rustix::io::read(io, buf)?, Drained::No))
}

pub(crate) fn readv(io: &Io<OwnedFd>, bufs: &mut [IoSliceMut<'_>]) -> io::Result<(usize, Drained)> {
    Ok((rustix::io::readv(io, bufs)?, Drained::No))
}

pub(crate) fn write(io: &Io<OwnedFd>, buf: &[u8]) -> io::Result<(usize, Drained)> {
    Ok((rustix::io::write(io, buf)?, Drained::No))
}

pub(crate) fn writev(io: &Io<OwnedFd>, bufs: &[IoSlice<'_>]) -> io::Result<(usize, Drained)> {
    Ok((rustix::io::writev(io, bufs)?, Drained::No))
}

pub(crate) fn poll_read(
    io: &Io<OwnedFd>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
    location: Place,
) -> Poll<io::Result<usize>> {
    if buf.is_empty() {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Read, cx, location, || read(io, buf))
}

pub(crate) fn poll_read_vectored(
    io: &Io<OwnedFd>,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
    location: Place,
) -> Poll<io::Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Read, cx, location, || readv(io, bufs))
}

/// Reading of `futures::io`, for types whose field `io` is such a descriptor.
macro_rules! async_read {
    ($($kind:ty),*) => {
        $(
            impl futures::io::AsyncRead for $kind {
                #[track_caller]
                fn poll_read(
                    self: std::pin::Pin<&mut Self>,
                    cx: &mut std::task::Context<'_>,
                    buf: &mut [u8],
                ) -> std::task::Poll<std::io::Result<usize>> {
                    let location = std::panic::Location::caller();
                    $crate::async_io::plain::poll_read(&self.io, cx, buf, location)
                }

                #[track_caller]
                fn poll_read_vectored(
                    self: std::pin::Pin<&mut Self>,
                    cx: &mut std::task::Context<'_>,
                    bufs: &mut [std::io::IoSliceMut<'_>],
                ) -> std::task::Poll<std::io::Result<usize>> {
                    let location = std::panic::Location::caller();
                    $crate::async_io::plain::poll_read_vectored(&self.io, cx, bufs, location)
                }
            }
        )*
    };
}
pub(crate) use async_read;

pub(crate) fn poll_write(
    io: &Io<OwnedFd>,
    cx: &mut Context<'_>,
    buf: &[u8],
    location: Place,
) -> Poll<io::Result<usize>> {
    if buf.is_empty() {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Write, cx, location, || write(io, buf))
}

pub(crate) fn poll_write_vectored(
    io: &Io<OwnedFd>,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
    location: Place,
) -> Poll<io::Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Write, cx, location, || writev(io, bufs))
}
