//! The reactor: the kernel poller, the table of descriptors and the break.
//!
//! Any number of threads may poll at once without blocking; by the executor's
//! protocol (R-POLL-6) at most one blocks. Events are handed over under the
//! table's lock, which one poll takes once and only if there are any.

use std::fmt;
use std::io;
use std::task::Waker;
use std::time::Duration;

use crate::breaker::{Breaker, Enter};
use crate::fork::{self, Origin};
use crate::gate::Stop;
use crate::keys::Table;
use crate::source::{Desc, Source};
use crate::sync::{Arc, AtomicUsize, Lock, Ordering};
use crate::sys::{Fd, Happened, Poller};
use crate::wakers::wake_all_or_unwind;

/// The netpoller of one runtime.
pub struct Reactor {
    poller: Poller,
    breaker: Breaker,
    descs: Lock<Descs>,
    /// How many descriptors the table holds, to be read without its lock.
    sources: AtomicUsize,
    origin: Origin,
}

struct Descs {
    table: Table<Arc<Desc>>,
    closed: bool,
}

impl Descs {
    /// One event to its descriptor, unless that is gone (R-POLL-14).
    fn hand_over(
        &self,
        key: usize,
        happened: Happened,
        ready: &mut Vec<Waker>,
    ) -> Option<&Arc<Desc>> {
        let desc = self.table.get(key)?;
        desc.deliver(happened, ready);
        Some(desc)
    }
}

impl Reactor {
    /// A reactor with no descriptors.
    ///
    /// # Errors
    /// Those of the system: no descriptor or no memory left for the poller.
    pub fn new() -> io::Result<Arc<Self>> {
        fork::watch()?;
        Ok(Self::over(Poller::new()?))
    }

    pub(crate) fn over(poller: Poller) -> Arc<Self> {
        Arc::new(Self {
            poller,
            breaker: Breaker::new(),
            descs: Lock::new(Descs {
                table: Table::new(),
                closed: false,
            }),
            sources: AtomicUsize::new(0),
            origin: Origin::here(),
        })
    }

    /// Puts a descriptor into the table and registers it. On an error both are
    /// as before.
    pub(crate) fn add(self: &Arc<Self>, fd: Fd) -> io::Result<Source> {
        if self.is_elsewhere() {
            return Err(Stop::Elsewhere.into());
        }
        let desc = {
            let mut descs = self.descs.lock();
            if descs.closed {
                return Err(Stop::Closed.into());
            }
            descs
                .table
                .insert(|key| Arc::new(Desc::new(key, fd)))
                .map(Arc::clone)
        };
        let Some(desc) = desc else {
            return Err(io::Error::other(
                "the reactor's table of descriptors is full",
            ));
        };
        // In the table first: the event of a ready descriptor comes at once.
        // ord: Relaxed: a gate for "is polling worth it"; the task that waits
        // on this source is queued with stronger orders than this count needs
        self.sources.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = desc.add_to(&self.poller) {
            self.forget(desc.key());
            return Err(error);
        }
        Ok(Source::new(Arc::clone(self), desc))
    }

    /// Takes a descriptor out of the table: events under its key find nothing.
    pub(crate) fn forget(&self, key: usize) {
        let removed = self.descs.lock().table.remove(key);
        if removed.is_some() {
            // ord: Relaxed: as in `add`
            self.sources.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// How many events the system reported, at most 128; breaks do not count.
    ///
    /// `timeout` is how long to wait for the first event: for ever if `None`,
    /// not at all if zero. The wakers of what became ready are pushed onto
    /// `ready` in the order of the events, for one descriptor the reader before
    /// the writer; taken from the end, that is the order of Go's list. None is
    /// called here. A signal ends a timed wait early with no events; a wait
    /// without limit goes on.
    ///
    /// # Errors
    /// Those of the system, which mean that the poller itself is broken: a
    /// closed epoll descriptor, for one. `ready` is then as it was.
    ///
    /// # Rule R-POLL-8
    /// Go's `netpoll`.
    #[doc(alias = "netpoll")]
    pub fn poll(&self, timeout: Option<Duration>, ready: &mut Vec<Waker>) -> io::Result<usize> {
        let blocking = timeout != Some(Duration::ZERO);
        let timeout = if blocking && self.breaker.enter() == Enter::Return {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let mut descs = None;
        let mut rearm = Vec::new();
        let harvest = self.poller.wait(timeout, |key, happened| {
            let descs = descs.get_or_insert_with(|| self.descs.lock());
            let desc = descs.hand_over(key, happened, ready);
            if self.poller.is_one_shot() {
                rearm.extend(desc.cloned());
            }
        });
        drop(descs);
        let woken = harvest.as_ref().is_ok_and(|harvest| harvest.woken);
        if blocking {
            self.breaker.leave(woken);
        } else if woken && self.breaker.overheard() {
            self.poller.notify();
        }
        for desc in rearm {
            // The other direction may still be waited for; if the system
            // refuses, the next operation that waits gets the error.
            let _ = desc.arm(&self.poller);
        }
        Ok(harvest?.events)
    }

    /// Makes one blocked [`poll`](Self::poll) return, or the next one that
    /// would block. Many calls before that cost one system call together. From
    /// any thread, without locks.
    ///
    /// # Rule R-POLL-10
    /// Go's `netpollBreak`.
    #[doc(alias = "netpollBreak")]
    pub fn wake(&self) {
        if !self.is_elsewhere() && self.breaker.request() {
            self.poller.notify();
        }
    }

    /// Whether it belongs to the parent of this process. Kernel and parent share it
    /// with us, so nothing here touches it then: registrations and waits fail, and
    /// the end of a source changes nothing.
    #[inline]
    pub fn is_elsewhere(&self) -> bool {
        self.origin.is_elsewhere()
    }

    /// How many descriptors are registered now: one relaxed load, to decide
    /// whether polling is worth a system call.
    pub fn sources(&self) -> usize {
        self.sources.load(Ordering::Relaxed)
    }

    /// How many directions have a task waiting, counted on demand: nothing that
    /// could drift is kept (R-POLL-12). Takes the table's lock and walks over
    /// it; for the deadlock check and for metrics.
    pub fn waiters(&self) -> usize {
        self.descs
            .lock()
            .table
            .iter()
            .map(|desc| desc.waiters())
            .sum()
    }

    /// Ends every wait: tasks are woken and find an error of kind `Other`, as
    /// does every later operation and registration. A blocked
    /// [`poll`](Self::poll) returns. Calling it again changes nothing. Wakers
    /// are called here.
    pub fn close(&self) {
        let mut wakers = Vec::new();
        {
            let mut descs = self.descs.lock();
            descs.closed = true;
            for desc in descs.table.iter() {
                desc.close(&mut wakers);
            }
        }
        self.wake();
        wake_all_or_unwind(wakers);
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn table_len(&self) -> usize {
        self.descs.lock().table.len()
    }

    /// An event that some thread has had in its hands for a while.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn late_event(&self, key: usize, happened: Happened, ready: &mut Vec<Waker>) {
        self.descs.lock().hand_over(key, happened, ready);
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("sources", &self.sources())
            .field("breaker", &self.breaker)
            .field("poller", &self.poller)
            .finish_non_exhaustive()
    }
}
