//! epoll: one system call a wait, one a registration, one a break.
//!
//! The epoll instance belongs to a `polling::Poller`, which removes
//! descriptors too. Three things are done beside it:
//!
//! * Registration asks for RDHUP as Go does, which `Poller` cannot express.
//!   Without it a peer's last bytes and its end of stream may arrive in one
//!   event that looks like bytes alone, and a reader that takes a short read
//!   for "drained" would wait for ever.
//! * A wait is `epoll_pwait2`; `Poller::wait` makes five calls of it.
//! * The break is an own eventfd, edge-triggered: each write is an event, and
//!   nobody ever reads it (its counter would take centuries to fill).

#![expect(unsafe_code, reason = "epoll_wait for kernels without epoll_pwait2")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use super::{EVENTS, Fd, Happened, Harvest};
use crate::keys::WAKE_KEY;

/// Longer waits are cut to this, 1e9 ms as in Go: some eleven days.
const LONGEST: Duration = Duration::from_millis(1_000_000_000);

#[derive(Debug)]
pub(crate) struct Poller {
    poller: polling::Poller,
    breaker: OwnedFd,
    /// Whether the kernel takes nanoseconds; found out once, at the start.
    precise: bool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let mut this = Self::with_milliseconds()?;
        this.precise = match this.wait_precisely(Some(Duration::ZERO), &mut |_, _| {}) {
            Ok(_) => true,
            // Too old, or a filter of system calls that does not know it.
            Err(Errno::NOSYS | Errno::PERM) => false,
            Err(error) => return Err(error.into()),
        };
        Ok(this)
    }

    /// A poller for kernels before 5.11.
    pub(crate) fn with_milliseconds() -> io::Result<Self> {
        let poller = polling::Poller::new()?;
        let breaker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(
            &poller,
            &breaker,
            EventData::new_u64(WAKE_KEY as u64),
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Self {
            poller,
            breaker,
            precise: false,
        })
    }

    pub(crate) fn add(&self, fd: &Fd, key: usize) -> io::Result<()> {
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(
            &self.poller,
            fd.borrow(),
            EventData::new_u64(key as u64),
            interest,
        )?)
    }

    pub(crate) fn remove(&self, fd: &Fd) -> io::Result<()> {
        self.poller.delete(fd.borrow())
    }

    #[expect(clippy::unused_self, reason = "one shape for all pollers")]
    pub(crate) fn is_one_shot(&self) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "one shape for all pollers")]
    pub(crate) fn arm(&self, _: &Fd, _: usize, _: bool, _: bool) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn notify(&self) {
        // Only a full counter could refuse it, after 2^64 - 2 breaks.
        let written =
            rustix::io::retry_on_intr(|| rustix::io::write(&self.breaker, &1_u64.to_ne_bytes()));
        debug_assert_eq!(written, Ok(8));
    }

    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut deliver: impl FnMut(usize, Happened),
    ) -> io::Result<Harvest> {
        loop {
            let harvest = if self.precise {
                self.wait_precisely(timeout, &mut deliver)
            } else {
                self.wait_milliseconds(timeout, &mut deliver)
            };
            match harvest {
                Err(Errno::INTR) if timeout.is_none() => {}
                Err(Errno::INTR) => return Ok(Harvest::default()),
                other => return Ok(other?),
            }
        }
    }

    fn wait_precisely(
        &self,
        timeout: Option<Duration>,
        deliver: &mut impl FnMut(usize, Happened),
    ) -> Result<Harvest, Errno> {
        let timeout = timeout.map(timespec);
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); EVENTS];
        let (events, _) = epoll::wait(&self.poller, &mut buffer[..], timeout.as_ref())?;
        // Copied out: the kernel's layout is packed.
        let events = events
            .iter()
            .map(|&epoll::Event { flags, data }| (data.u64(), flags.bits()));
        Ok(hand_over(events, deliver))
    }

    fn wait_milliseconds(
        &self,
        timeout: Option<Duration>,
        deliver: &mut impl FnMut(usize, Happened),
    ) -> Result<Harvest, Errno> {
        let mut buffer = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let epoll = self.poller.as_fd().as_raw_fd();
        // SAFETY: the buffer has room for as many events as are asked for, and
        // the poller keeps its descriptor open
        let found = unsafe {
            libc::epoll_wait(
                epoll,
                buffer.as_mut_ptr(),
                EVENTS as libc::c_int,
                millis(timeout),
            )
        };
        let Ok(found) = usize::try_from(found) else {
            let error = io::Error::last_os_error();
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        };
        let events = buffer[..found]
            .iter()
            .map(|event| (event.u64, event.events));
        Ok(hand_over(events, deliver))
    }
}

fn hand_over(
    events: impl Iterator<Item = (u64, u32)>,
    deliver: &mut impl FnMut(usize, Happened),
) -> Harvest {
    let mut harvest = Harvest::default();
    for (key, bits) in events {
        // The keys are ours, so they fit.
        let key = key as usize;
        if key == WAKE_KEY {
            harvest.woken = true;
        } else {
            harvest.events += 1;
            deliver(key, happened(EventFlags::from_bits_retain(bits)));
        }
    }
    harvest
}

/// Rule R-POLL-8.
fn happened(flags: EventFlags) -> Happened {
    let both = EventFlags::HUP | EventFlags::ERR;
    Happened {
        read: flags.intersects(EventFlags::IN | EventFlags::RDHUP | both),
        write: flags.intersects(EventFlags::OUT | both),
        hup: flags.intersects(EventFlags::RDHUP | both),
        error_only: flags == EventFlags::ERR,
    }
}

fn timespec(timeout: Duration) -> Timespec {
    Timespec::try_from(timeout.min(LONGEST)).expect("eleven days fit in a timespec")
}

/// Rule R-POLL-8: below one millisecond is one, so that nobody spins; above it
/// is cut, not rounded up.
fn millis(timeout: Option<Duration>) -> libc::c_int {
    match timeout {
        None => -1,
        Some(Duration::ZERO) => 0,
        Some(timeout) => {
            let millis = timeout.min(LONGEST).as_millis().max(1);
            libc::c_int::try_from(millis).expect("1e9 fits")
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::os::fd::BorrowedFd;

    /// Rule R-POLL-8, test T-67.
    #[test]
    fn a_timeout_is_rounded_as_go_rounds_it() {
        assert_eq!(millis(None), -1);
        for (nanos, expected) in [
            (0, 0),
            (1, 1),
            (999_999, 1),
            (1_999_999, 1),
            (2_000_000, 2),
            (1_000_000_000_000_000, 1_000_000_000),
            (u64::MAX, 1_000_000_000),
        ] {
            assert_eq!(
                millis(Some(Duration::from_nanos(nanos))),
                expected,
                "{nanos} ns"
            );
        }
        assert_eq!(millis(Some(Duration::MAX)), 1_000_000_000);
    }

    #[test]
    fn every_timeout_is_a_valid_timespec() {
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            let spec = timespec(timeout);
            assert_eq!(Duration::try_from(spec).unwrap(), timeout.min(LONGEST));
        }
    }

    /// Rule R-POLL-8.
    #[test]
    fn events_say_what_go_reads_in_them() {
        let table = [
            (EventFlags::IN, (true, false, false, false)),
            (EventFlags::OUT, (false, true, false, false)),
            (EventFlags::RDHUP, (true, false, true, false)),
            (EventFlags::HUP, (true, true, true, false)),
            (EventFlags::ERR, (true, true, true, true)),
            (EventFlags::ERR | EventFlags::OUT, (true, true, true, false)),
            (EventFlags::PRI, (false, false, false, false)),
        ];
        for (flags, (read, write, hup, error_only)) in table {
            assert_eq!(
                happened(flags),
                Happened {
                    read,
                    write,
                    hup,
                    error_only
                },
                "{flags:?}"
            );
        }
    }

    #[test]
    fn its_descriptors_are_closed_on_exec() {
        let poller = Poller::new().unwrap();
        let fds: [BorrowedFd<'_>; 2] = [poller.poller.as_fd(), poller.breaker.as_fd()];
        for fd in fds {
            let flags = rustix::io::fcntl_getfd(fd).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }

    extern "C" fn ignore(_: libc::c_int) {}

    /// Fault F1: a signal ends a timed wait early and empty, and does not end
    /// one without limit.
    #[test]
    fn a_signal_ends_a_timed_wait_only() {
        use std::os::unix::thread::JoinHandleExt;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering};

        let handler: extern "C" fn(libc::c_int) = ignore;
        // SAFETY: all zero is a valid sigaction: no flags (so no SA_RESTART),
        // an empty mask
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        // SAFETY: the action is complete; its handler does nothing, so it may
        // run at any point
        let set =
            unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
        assert_eq!(set, 0);

        for poller in [Poller::new().unwrap(), Poller::with_milliseconds().unwrap()] {
            let poller = Arc::new(poller);
            for timeout in [Some(Duration::from_secs(600)), None] {
                let notified = Arc::new(AtomicBool::new(false));
                let waiting = std::thread::spawn({
                    let (poller, notified) = (Arc::clone(&poller), Arc::clone(&notified));
                    move || {
                        let harvest = poller.wait(timeout, |_, _| {}).unwrap();
                        assert_eq!(harvest.events, 0);
                        assert_eq!(harvest.woken, notified.load(Ordering::Acquire));
                    }
                });
                // A timed wait ends by some signal, or this goes on for ever;
                // the other gets a good number of them and then its break.
                let mut signals = 0;
                while !waiting.is_finished() && (timeout.is_some() || signals < 100) {
                    // SAFETY: the handle is not joined yet, so the thread's id
                    // is valid also after it has ended
                    unsafe { libc::pthread_kill(waiting.as_pthread_t(), libc::SIGUSR1) };
                    signals += 1;
                    std::thread::yield_now();
                }
                if timeout.is_none() {
                    assert!(
                        !waiting.is_finished(),
                        "a signal ended a wait without limit"
                    );
                    notified.store(true, Ordering::Release);
                    poller.notify();
                }
                waiting.join().unwrap();
            }
        }
    }

    #[test]
    fn a_wait_is_as_long_as_it_was_asked_to_be() {
        for poller in [Poller::new().unwrap(), Poller::with_milliseconds().unwrap()] {
            for micros in [300, 2_000] {
                let asked = Duration::from_micros(micros);
                let start = std::time::Instant::now();
                assert!(!poller.wait(Some(asked), |_, _| {}).unwrap().woken);
                assert!(start.elapsed() >= asked, "{asked:?}");
            }
        }
    }
}
