//! `polling` as it comes, for systems other than Linux.
//!
//! Edge-triggered where the system can. Where it cannot, events are one-shot:
//! each disarms its descriptor, and a waiter arms it again. Neither says
//! whether the peer's end of stream came with its last bytes, so every event
//! counts as a possible hang-up: a short read is followed by one more read.

#![expect(
    unsafe_code,
    reason = "registers a descriptor that the source's owner keeps open"
)]

use std::fmt;
use std::io;
use std::num::NonZero;
use std::time::Duration;

use polling::{Event, Events, PollMode};

use super::{EVENTS, Fd, Happened, Harvest};
use crate::sync::Lock;

pub(crate) struct Poller {
    poller: polling::Poller,
    /// Held through a wait: `polling` lets one thread wait at a time.
    events: Lock<Events>,
    mode: PollMode,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let mut this = Self::one_shot()?;
        if this.poller.supports_edge() {
            this.mode = PollMode::Edge;
        }
        Ok(this)
    }

    /// A poller that uses no edges even if the system has them.
    pub(crate) fn one_shot() -> io::Result<Self> {
        let capacity = NonZero::new(EVENTS).expect("EVENTS is not zero");
        Ok(Self {
            poller: polling::Poller::new()?,
            events: Lock::new(Events::with_capacity(capacity)),
            mode: PollMode::Oneshot,
        })
    }

    pub(crate) fn add(&self, fd: &Fd, key: usize) -> io::Result<()> {
        // SAFETY: the descriptor stays open until its source is dropped (see
        // `Fd`), and the source's destructor calls `remove` first
        unsafe {
            self.poller
                .add_with_mode(fd.raw(), Event::all(key), self.mode)
        }
    }

    pub(crate) fn remove(&self, fd: &Fd) -> io::Result<()> {
        self.poller.delete(fd.borrow())
    }

    pub(crate) fn is_one_shot(&self) -> bool {
        self.mode == PollMode::Oneshot
    }

    pub(crate) fn arm(&self, fd: &Fd, key: usize, read: bool, write: bool) -> io::Result<()> {
        self.poller
            .modify_with_mode(fd.borrow(), Event::new(key, read, write), self.mode)
    }

    pub(crate) fn notify(&self) {
        // What the system may refuse here is a full pipe: then the event that
        // is asked for is there already.
        let _ = self.poller.notify();
    }

    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut deliver: impl FnMut(usize, Happened),
    ) -> io::Result<Harvest> {
        let mut events = if timeout == Some(Duration::ZERO) {
            match self.events.try_lock() {
                Some(events) => events,
                // Another thread waits: the events are its to hand over.
                None => return Ok(Harvest::default()),
            }
        } else {
            self.events.lock()
        };
        events.clear();
        self.poller.wait(&mut events, timeout)?;
        // `polling` uses a notification up without saying so.
        let mut harvest = Harvest {
            events: 0,
            woken: true,
        };
        for event in events.iter() {
            harvest.events += 1;
            let both = event.is_interrupt() || event.is_err() == Some(true);
            deliver(
                event.key,
                Happened {
                    read: event.readable || both,
                    write: event.writable || both,
                    hup: true,
                    error_only: false,
                },
            );
        }
        Ok(harvest)
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("poller", &self.poller)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
