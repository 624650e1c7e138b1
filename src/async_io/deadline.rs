//! Deadlines of a descriptor's two directions, as Go's net.Conn has them
//! (R-POLL-11): a timer each, made on first use and moved from then on.
//!
//! The reactor gives each deadline a number; the timer brings it back. Number
//! and arming change together under the alarm's lock, and a timer that finds
//! itself armed anew is stale. Wakers are called after the lock.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Wake, Waker};

use gmp_executor::leaf;
use gmp_reactor::{Direction, Expirer, Source};

use crate::time::{Instant, OwnTimer};

#[derive(Debug)]
pub(super) struct Deadlines {
    alarms: OnceLock<Box<[Arc<Alarm>; 2]>>,
}

#[derive(Debug)]
struct Alarm {
    timer: OwnTimer,
    expirer: Expirer,
    dir: Direction,
    /// The number of the deadline that the timer is armed for, if it is. A
    /// timer that has fired says so for ever, so the timer alone cannot tell.
    armed: Mutex<Option<u64>>,
}

impl Deadlines {
    pub(super) const fn new() -> Deadlines {
        Deadlines {
            alarms: OnceLock::new(),
        }
    }

    pub(super) fn set(&self, source: &Source, dir: Direction, deadline: Option<Instant>) {
        let when = deadline.map(|deadline| leaf::from_instant(deadline.into()));
        if when.is_none() && self.alarms.get().is_none() {
            return;
        }
        let [read, write] = &**self.alarms.get_or_init(|| {
            let expirer = source.expirer();
            Box::new([Direction::Read, Direction::Write].map(|dir| {
                Arc::new(Alarm {
                    timer: OwnTimer::new(),
                    expirer: expirer.clone(),
                    dir,
                    armed: Mutex::new(None),
                })
            }))
        });
        match dir {
            Direction::Read => read.set(source, when),
            Direction::Write => write.set(source, when),
        }
    }

    /// The timers hold the alarms and the alarms the timers: somebody must end
    /// that when the descriptor goes.
    pub(super) fn stop(&mut self) {
        for alarm in self.alarms.take().into_iter().flat_map(|alarms| *alarms) {
            alarm.timer.stop();
        }
    }
}

impl Alarm {
    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(self: &Arc<Self>, source: &Source, when: Option<u64>) {
        let now = leaf::now();
        match when {
            Some(when) if when > now => {
                let mut armed = self.lock();
                *armed = Some(source.set_deadline(self.dir, Some(when), now));
                let waker = Waker::from(self.clone());
                leaf::rearm(source.reactor(), &self.timer, when, &waker);
                drop(armed);
                // A timer that was stopped has no waker until `rearm` gives it
                // one, and may have fired before.
                self.expire();
            }
            None => {
                let mut armed = self.lock();
                *armed = None;
                self.timer.stop();
                source.set_deadline(self.dir, None, now);
            }
            passed => {
                {
                    let mut armed = self.lock();
                    *armed = None;
                    self.timer.stop();
                }
                // Wakes who waits, so not under the lock. A deadline that
                // another thread sets in between is the older one.
                source.set_deadline(self.dir, passed, now);
            }
        }
    }

    fn expire(&self) {
        let armed = self.lock();
        let due = armed.filter(|_| self.timer.fired());
        drop(armed);
        if let Some(due) = due {
            self.expirer.expire(self.dir, due);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.expire();
    }
}
