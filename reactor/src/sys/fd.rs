//! Descriptors on their way in: the one place that names Unix types.

#![expect(
    unsafe_code,
    reason = "borrows a descriptor for longer than the compiler can see"
)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::reactor::Reactor;
use crate::source::Source;
use crate::sync::Arc;

/// A descriptor that its source's owner keeps open: the promise of
/// [`Reactor::open`].
pub(crate) struct Fd(RawFd);

impl Fd {
    pub(crate) fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: who called `Reactor::open` keeps the descriptor open until
        // the source is dropped; a source uses its `Fd` until then only
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }

    #[cfg(any(not(target_os = "linux"), all(test, not(loom))))]
    pub(crate) fn raw(&self) -> RawFd {
        self.0
    }
}

impl fmt::Debug for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Reactor {
    /// Registers a descriptor, once and for both directions, edge-triggered
    /// where the system can.
    ///
    /// The descriptor must be in non-blocking mode already. A safe form is
    /// [`Registered::new`], which owns what it registers.
    ///
    /// # Errors
    /// Those of the system as they are, among them `EPERM` for what cannot be
    /// polled (a regular file) and `EEXIST` for a descriptor that is registered
    /// already, and an error of kind `Other` after [`Reactor::close`]. Nothing
    /// is left behind.
    ///
    /// # Safety
    /// The descriptor must stay open until the source is dropped.
    pub unsafe fn open(self: &Arc<Self>, fd: BorrowedFd<'_>) -> io::Result<Source> {
        self.add(Fd(fd.as_raw_fd()))
    }
}

/// What has one descriptor for all its life.
///
/// # Safety
/// [`AsFd::as_fd`] returns the same open descriptor each time until the value
/// is dropped, also after it has been moved, and nothing that a shared
/// reference allows closes that descriptor or puts another in its place.
pub unsafe trait FixedFd: AsFd {}

macro_rules! fixed_fd {
    ($($owner:ty),* $(,)?) => {
        $(
            // SAFETY: std's owner of one descriptor, which `&self` cannot close
            // or exchange
            unsafe impl FixedFd for $owner {}
        )*
    };
}

fixed_fd! {
    OwnedFd,
    std::fs::File,
    io::PipeReader,
    io::PipeWriter,
    std::net::TcpListener,
    std::net::TcpStream,
    std::net::UdpSocket,
    std::os::unix::net::UnixDatagram,
    std::os::unix::net::UnixListener,
    std::os::unix::net::UnixStream,
    std::process::ChildStderr,
    std::process::ChildStdin,
    std::process::ChildStdout,
}

// SAFETY: the descriptor is open for as long as the borrow lives, and the
// borrow cannot be pointed elsewhere through a shared reference
unsafe impl FixedFd for BorrowedFd<'_> {}
// SAFETY: the value behind is not moved or changed while it is shared
unsafe impl<T: FixedFd> FixedFd for Arc<T> {}
// SAFETY: as for `T`; moving the box does not move the value
unsafe impl<T: FixedFd> FixedFd for Box<T> {}
// SAFETY: as for `T`, which outlives the reference
unsafe impl<T: FixedFd> FixedFd for &T {}

/// A descriptor's owner together with its registration, which is dropped
/// first. This is the safe way into a [`Reactor`].
#[derive(Debug)]
pub struct Registered<T: FixedFd> {
    // Fields drop in this order: the registration before the descriptor.
    source: Source,
    io: T,
}

impl<T: FixedFd> Registered<T> {
    /// Registers `io`, which must be in non-blocking mode already.
    ///
    /// # Errors
    /// As [`Reactor::open`]; `io` is dropped then.
    pub fn new(reactor: &Arc<Reactor>, io: T) -> io::Result<Self> {
        // SAFETY: `io` is kept beside the source and dropped after it, and
        // `FixedFd` promises that its descriptor is this one until then
        let source = unsafe { reactor.open(io.as_fd()) }?;
        Ok(Self { source, io })
    }

    /// The registration, to wait with.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The descriptor's owner, to operate on.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The descriptor's owner, not registered any more. Tasks that wait are
    /// woken.
    pub fn into_inner(self) -> T {
        let Self { source, io } = self;
        drop(source);
        io
    }
}

impl<T: FixedFd> AsFd for Registered<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Fault F2: the system's error comes back and the table is as before.
    #[test]
    fn a_descriptor_that_is_not_open_is_refused() {
        for (_, poller) in crate::sys::Poller::all() {
            let reactor = Reactor::over(poller);
            // SAFETY: no system hands out this number, so nothing is borrowed
            let nothing = unsafe { BorrowedFd::borrow_raw(i32::MAX) };
            // SAFETY: the registration fails, so no source outlives the number
            let refused = unsafe { reactor.open(nothing) }.unwrap_err();
            assert_eq!(
                refused.raw_os_error(),
                Some(rustix::io::Errno::BADF.raw_os_error())
            );
            assert_eq!((reactor.table_len(), reactor.sources()), (0, 0));
        }
    }
}
