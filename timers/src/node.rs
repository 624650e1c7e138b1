//! One timer: its deadline, its waker and its place, shared by the handle and by the heap that it
//! is in.
//!
//! ```text
//!              add                        fire
//!   idle ──────────────▶ pending ──────────────────▶ fired ──add──▶ pending
//!   (out)                (in heap)                   (out)
//!     ▲                  │  ▲
//!     │             stop │  │ reset, add
//!     │                  ▼  │
//!     └──── reaped ──── zombie
//!                      (in heap)
//! ```
//!
//! `when` tells the state: 0 idle or zombie, [`FIRED`], else pending. It is written under the lock
//! and may be read without. The lock is a leaf: a set's lock may be held when it is taken, never
//! the other way round, and no user code runs under it.
//!
//! Invariants: only a pending timer holds a waker; a fired one has no place; `slot.shown` is the
//! deadline of the heap's entry, which changes only under that set's lock.

use std::task::Waker;

use crate::face::Face;
use crate::mutant::{self, Mutant};
use crate::sync::{Acquire, AtomicU64, Guard, Lock, Relaxed, Release};

/// `when` of a timer that has fired. No deadline is that large.
const FIRED: u64 = u64::MAX;

/// The shared part of a timer; 64 bytes with its reference counts.
pub(crate) struct Node {
    when: AtomicU64,
    inner: Lock<Inner>,
}

struct Inner {
    waker: Option<Waker>,
    slot: Option<Slot>,
}

/// Where a timer is: in the heap behind `face`, under the deadline `shown`.
#[derive(Clone, Copy)]
struct Slot {
    face: &'static Face,
    shown: u64,
}

/// What became of a deadline given to a timer.
#[must_use]
pub(crate) enum Set {
    /// The timer is in a heap, where its deadline has changed.
    Moved {
        was_pending: bool,
        wake: bool,
        old: Option<Waker>,
    },
    /// The timer is in no heap. `enter` has given it a place, `reset` has left it alone.
    Out,
}

/// What the heap has to do with the entry in its first place.
#[must_use]
pub(crate) enum Surfaced {
    /// Remove it: it has fired, here is its waker.
    Fired(Option<Waker>),
    /// Sort it in under this deadline.
    Moved(u64),
    /// Remove it: it is stopped.
    Zombie,
}

impl Node {
    /// A pending timer at home in the heap behind `face`.
    pub(crate) fn new(face: &'static Face, when: u64, waker: Waker) -> Node {
        let slot = Some(Slot { face, shown: when });
        Node {
            when: AtomicU64::new(when),
            inner: Lock::new(Inner {
                waker: Some(waker),
                slot,
            }),
        }
    }

    /// Makes a node that nobody else refers to a new timer.
    pub(crate) fn renew(&mut self, face: &'static Face, when: u64, waker: Waker) {
        let inner = self.inner.get_mut();
        debug_assert!(inner.waker.is_none(), "a stopped timer holds no waker");
        inner.waker = Some(waker);
        inner.slot = Some(Slot { face, shown: when });
        // ord: nobody else sees this node; sharing it publishes the store
        self.when.store(when, Relaxed);
    }

    /// The owner of the set whose heap the timer is in.
    pub(crate) fn owner(&self) -> Option<usize> {
        self.inner.lock().slot.map(|slot| slot.face.owner())
    }

    pub(crate) fn is_pending(&self) -> bool {
        is_pending(self.when.load(Relaxed))
    }

    pub(crate) fn fired(&self) -> bool {
        // ord: sees what the thread that fired it had done before; pairs with surface; model
        // set_waker_against_fire
        self.when.load(Acquire) == FIRED
    }

    /// Whether the heap's entry with the deadline `shown` is out of date. Without the lock.
    pub(crate) fn differs(&self, shown: u64) -> bool {
        // ord: read after clear_modified, which sees every deadline lowered before it;
        // model t70_earlier_deadline_survives_adjust
        self.when.load(Relaxed) != shown
    }

    /// Whether it was stopped in its heap. A hint without the lock.
    pub(crate) fn seems_stopped(&self) -> bool {
        self.when.load(Relaxed) == 0
    }

    /// Stops a pending timer and hands out its waker, for the caller to drop.
    pub(crate) fn stop(&self) -> Option<Option<Waker>> {
        // Most timers that are stopped have fired: no lock for them.
        // ord: a fired timer's waker is out of the caller's hands either way; model stop_or_fire
        if !self.is_pending() {
            return None;
        }
        let mut inner = self.inner.lock();
        if !self.is_pending() && !mutant::is(Mutant::StopWithoutRecheck) {
            return None;
        }
        self.when.store(0, Relaxed);
        if let Some(slot) = inner.slot {
            slot.face.count_stop();
        }
        Some(inner.waker.take())
    }

    /// Gives a timer that is in a heap another deadline; a stopped one lives again, without a
    /// waker.
    pub(crate) fn reset(&self, when: u64) -> Set {
        let inner = self.inner.lock();
        self.set_in_heap(&inner, when)
    }

    /// Gives the timer a deadline and a waker wherever it is; if it is in no heap, its place is now
    /// behind `face`, whose heap the caller has locked. The replaced waker is handed out, for the
    /// caller to drop after it has unlocked.
    pub(crate) fn enter(&self, face: &'static Face, when: u64, waker: Waker) -> Set {
        let early_look = mutant::is(Mutant::EnterUnchecked) && self.inner.lock().slot.is_none();
        let mut inner = self.inner.lock();
        if inner.slot.is_none() || early_look {
            inner.slot = Some(Slot { face, shown: when });
            inner.waker = Some(waker);
            // ord: the place is seen under a lock only; model add_from_two_threads
            self.when.store(when, Relaxed);
            return Set::Out;
        }
        let mut set = self.set_in_heap(&inner, when);
        if let Set::Moved { old, .. } = &mut set {
            *old = inner.waker.replace(waker);
        }
        set
    }

    fn set_in_heap(&self, inner: &Guard<'_, Inner>, when: u64) -> Set {
        let Some(Slot { face, shown }) = inner.slot else {
            return Set::Out;
        };
        let was_pending = self.is_pending();
        if !was_pending {
            face.uncount_stop();
        }
        let mut wake = false;
        if mutant::is(Mutant::LowerBeforePublish) && when < shown {
            wake = face.lower(when);
            self.when.store(when, Release);
            return Set::Moved {
                was_pending,
                wake,
                old: None,
            };
        }
        // ord: carried by the exchange in Face::lower, pairs with differs; model
        // t70_earlier_deadline_survives_adjust
        self.when.store(when, Relaxed);
        if when < shown {
            wake = face.lower(when);
        }
        // A later deadline needs nothing: the entry surfaces at the old one and is sorted in again.
        Set::Moved {
            was_pending,
            wake,
            old: None,
        }
    }

    /// Replaces the waker of a pending timer unless it wakes the same task.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        {
            let inner = self.inner.lock();
            let known = inner.waker.as_ref().is_some_and(|old| old.will_wake(waker));
            if known || !self.is_pending() {
                return;
            }
        }
        // The clone is user code, so it runs between two looks.
        let mut spare = Some(waker.clone());
        {
            let mut inner = self.inner.lock();
            if self.is_pending() || mutant::is(Mutant::StoreWakerUnchecked) {
                std::mem::swap(&mut inner.waker, &mut spare);
            }
        }
        drop(spare);
    }

    /// Decides about the entry that has come due in the first place. Under the set's lock.
    pub(crate) fn surface(&self, shown: u64) -> Surfaced {
        let mut inner = self.inner.lock();
        let when = self.when.load(Relaxed);
        if when == 0 {
            inner.slot = None;
            return Surfaced::Zombie;
        }
        if when != shown {
            if let Some(slot) = &mut inner.slot {
                slot.shown = when;
            }
            return Surfaced::Moved(when);
        }
        inner.slot = None;
        // ord: publishes what this thread did before to whoever sees the timer fired; pairs with
        // fired
        self.when.store(FIRED, Release);
        Surfaced::Fired(inner.waker.take())
    }

    /// The deadline to sort the entry under, or none: it is stopped and has left. Under the set's
    /// lock.
    pub(crate) fn settle(&self, face: &'static Face) -> Option<u64> {
        let mut inner = self.inner.lock();
        let when = self.when.load(Relaxed);
        inner.slot = (when != 0).then_some(Slot { face, shown: when });
        inner.slot.map(|slot| slot.shown)
    }

    /// Removes a stopped timer from its place; false if it lives again. Under the set's lock.
    pub(crate) fn leave_if_stopped(&self) -> bool {
        let mut inner = self.inner.lock();
        let stopped = self.when.load(Relaxed) == 0;
        if stopped {
            inner.slot = None;
        }
        stopped
    }

    /// Puts the timer out of a heap that ceases to be, and hands out its waker; none: it was stopped.
    pub(crate) fn evict(&self) -> Option<Option<Waker>> {
        let mut inner = self.inner.lock();
        let was_pending = self.is_pending();
        self.when.store(0, Relaxed);
        inner.slot = None;
        was_pending.then(|| inner.waker.take())
    }
}

fn is_pending(when: u64) -> bool {
    when != 0 && when != FIRED
}
