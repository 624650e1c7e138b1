//! The system's poller, behind one type with one implementation a platform.
//!
//! Linux waits by epoll itself (`linux`), everything else through `polling`
//! (`portable`), which the tests of this crate run on Linux as well. Everything
//! that names a Unix descriptor is in `fd`; a port to another kind of handle
//! starts there.

mod fd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(not(target_os = "linux"), all(test, not(loom))))]
mod portable;

use std::io;
use std::time::Duration;

pub(crate) use fd::Fd;
pub use fd::{FixedFd, Registered};

/// How many events one wait takes from the system, as in Go.
const EVENTS: usize = 128;

/// What an event says about a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Happened {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// The peer is gone or an error waits, so a short read is not the end.
    pub(crate) hup: bool,
    /// An error and nothing else (R-POLL-8).
    pub(crate) error_only: bool,
}

/// What a wait brought besides the events it handed over.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Harvest {
    pub(crate) events: usize,
    /// The break event was met, or may have been.
    pub(crate) woken: bool,
}

#[derive(Debug)]
pub(crate) enum Poller {
    #[cfg(target_os = "linux")]
    Linux(linux::Poller),
    #[cfg(any(not(target_os = "linux"), all(test, not(loom))))]
    Portable(portable::Poller),
}

/// The same call on whichever implementation there is.
macro_rules! each {
    ($self:expr, $poller:ident => $call:expr) => {
        match $self {
            #[cfg(target_os = "linux")]
            Poller::Linux($poller) => $call,
            #[cfg(any(not(target_os = "linux"), all(test, not(loom))))]
            Poller::Portable($poller) => $call,
        }
    };
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return linux::Poller::new().map(Self::Linux);
        #[cfg(not(target_os = "linux"))]
        return portable::Poller::new().map(Self::Portable);
    }

    /// Registers for both directions under a key.
    pub(crate) fn add(&self, fd: &Fd, key: usize) -> io::Result<()> {
        each!(self, poller => poller.add(fd, key))
    }

    pub(crate) fn remove(&self, fd: &Fd) -> io::Result<()> {
        each!(self, poller => poller.remove(fd))
    }

    /// Whether events stop after one until [`Poller::arm`].
    #[inline]
    pub(crate) fn is_one_shot(&self) -> bool {
        each!(self, poller => poller.is_one_shot())
    }

    /// Asks for the next event of these directions; only if
    /// [`Poller::is_one_shot`].
    pub(crate) fn arm(&self, fd: &Fd, key: usize, read: bool, write: bool) -> io::Result<()> {
        each!(self, poller => poller.arm(fd, key, read, write))
    }

    /// Makes a wait return: the one that blocks now, else the next.
    pub(crate) fn notify(&self) {
        each!(self, poller => poller.notify());
    }

    /// Hands each event to `deliver`. An interrupted wait goes on if it has no
    /// time-out and returns empty if it has one: the caller computes it anew.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        deliver: impl FnMut(usize, Happened),
    ) -> io::Result<Harvest> {
        each!(self, poller => poller.wait(timeout, deliver))
    }
}

#[cfg(all(test, not(loom)))]
impl Poller {
    /// Every way to poll that this machine can run, by name.
    pub(crate) fn all() -> Vec<(&'static str, Self)> {
        vec![
            #[cfg(target_os = "linux")]
            ("epoll_pwait2", Self::new().unwrap()),
            #[cfg(target_os = "linux")]
            (
                "epoll_wait",
                Self::Linux(linux::Poller::with_milliseconds().unwrap()),
            ),
            (
                "polling, edge",
                Self::Portable(portable::Poller::new().unwrap()),
            ),
            (
                "polling, one-shot",
                Self::Portable(portable::Poller::one_shot().unwrap()),
            ),
        ]
    }
}
