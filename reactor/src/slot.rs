//! One direction of a descriptor: Go's binary semaphore (R-POLL-1 … R-POLL-3)
//! in one word, and the wakers of those who wait on it.
//!
//! ```text
//!                 set_ready (event)                  set_ready: wake all
//!        ┌─────────────────────────────▶ READY ◀──────────────────────┐
//!       nil ◀── clear(seen): WouldBlock ───┘                          │
//!        └──────────────── park: announce, check gate, commit ───▶  WAIT
//!        ▲                                                            │
//!        └───────────── unblock (deadline, close): wake all ──────────┘
//! ```
//!
//! Readiness is not taken before an operation but cleared after one that would
//! block, and only if no event came since the look: each event moves a tick in
//! the word. Go takes it first because one task at a time holds an fd's lock;
//! here several may use a direction at once, and a taken readiness would send
//! the others to sleep over data that is there. It also saves two
//! read-modify-writes per operation.
//!
//! WAIT means that the list may hold wakers. Who clears it empties the list
//! afterwards under the lock. A waiter stores its waker under the same lock
//! while WAIT is set, so no waker stays behind a cleared WAIT; a waker that is
//! taken by the event before costs one spurious wake-up.
//!
//! `HUP` is readiness that a short read must not clear: the end of the stream
//! may stand behind the last byte, announced by the same edge.

use std::fmt;
use std::task::Waker;

use slab::Slab;

use crate::gate::{Gate, Stop};
use crate::sync::{AtomicUsize, Lock, Ordering};

const READY: usize = 1;
const HUP: usize = 2;
const WAIT: usize = 4;
const TICK: usize = 8;

/// A waiters' slab bigger than this is given back once it is empty, since each
/// event walks over its vacant entries as well.
const KEPT_SEATS: usize = 16;

pub(crate) struct Slot {
    word: AtomicUsize,
    waiters: Lock<Waiters>,
}

#[derive(Debug)]
struct Waiters {
    /// The one seat of the `poll_*` functions: the last caller has it.
    polled: Option<Waker>,
    /// A seat for each wait future. The future frees it, the event only takes
    /// the waker out.
    listed: Slab<Option<Waker>>,
}

/// Readiness as it was at one look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen(usize);

/// Where a waiter sits.
#[derive(Debug)]
pub(crate) enum Seat<'a> {
    Polled,
    /// The future's own key, `None` before its first wait.
    Listed(&'a mut Option<usize>),
}

/// What became of an attempt to wait.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Park {
    Parked,
    /// Readiness or an unblock came in between: look again.
    LookAgain,
}

impl Slot {
    /// Ready from the start: the first operation finds out how things are.
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicUsize::new(READY),
            waiters: Lock::new(Waiters {
                polled: None,
                listed: Slab::new(),
            }),
        }
    }

    #[inline]
    pub(crate) fn look(&self) -> Option<Seen> {
        // ord: sees what the poller saw before its event; pairs with
        // `set_ready`; model clear_vs_event
        let word = self.word.load(Ordering::Acquire);
        (word & READY != 0).then_some(Seen(word))
    }

    /// Whether the end may have come: the system has announced one, or an error, and no
    /// operation has shown since that it is otherwise; or it has announced nothing yet.
    pub(crate) fn may_have_ended(&self) -> bool {
        // ord: Relaxed: a hint, whoever wants to know asks the system
        let word = self.word.load(Ordering::Relaxed);
        word & HUP != 0 || word < TICK
    }

    /// The operation would block: not ready any more, unless an event came
    /// since the look.
    pub(crate) fn clear(&self, seen: Seen) {
        #[cfg(loom)]
        if crate::sync::faulty(crate::sync::Fault::BlindClear) {
            self.word.fetch_and(!(READY | HUP), Ordering::AcqRel);
            return;
        }
        // ord: Relaxed: publishes nothing, and a read-modify-write leaves the
        // event's release sequence whole. A failure is an answer, not a reason
        // to retry: somebody moved the word, look again
        let _ = self.word.compare_exchange(
            seen.0,
            seen.0 & !(READY | HUP),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// The operation emptied the buffer (or filled it): as [`Slot::clear`],
    /// except where the end of the stream may follow.
    pub(crate) fn drained(&self, seen: Seen) {
        if seen.0 & HUP == 0 {
            self.clear(seen);
        }
    }

    /// Takes a seat, unless there is readiness or the gate says no (R-POLL-2).
    pub(crate) fn park(&self, seat: Seat<'_>, waker: &Waker, gate: &Gate) -> Result<Park, Stop> {
        // ord: Relaxed: a hint; nobody waits, so there is no own waker to find
        if self.word.load(Ordering::Relaxed) & WAIT != 0 && self.sits(&seat, waker) {
            return Ok(Park::Parked);
        }
        #[cfg(loom)]
        if crate::sync::faulty(crate::sync::Fault::GateBeforeWait) {
            gate.check_wait()?;
        }
        let fresh = waker.clone();
        let mut waiters = self.waiters.lock();
        if !self.announce() {
            return Ok(Park::LookAgain);
        }
        #[cfg(loom)]
        let skip = crate::sync::faulty(crate::sync::Fault::GateBeforeWait);
        #[cfg(not(loom))]
        let skip = false;
        if !skip {
            gate.check_wait()?;
        }
        // The commit: WAIT gone means an event or an unblock came after the
        // announcement, and comes for a list without this waker.
        // ord: Relaxed: the lock orders the list, the next look the rest
        if self.word.load(Ordering::Relaxed) & WAIT == 0 {
            return Ok(Park::LookAgain);
        }
        let replaced = waiters.sit(seat, fresh);
        drop(waiters);
        drop(replaced);
        Ok(Park::Parked)
    }

    /// nil → WAIT; false when there is readiness.
    fn announce(&self) -> bool {
        #[cfg(loom)]
        if crate::sync::faulty(crate::sync::Fault::BlindPark) {
            self.word.store(WAIT, Ordering::Release);
            return true;
        }
        let mut old = self.word.load(Ordering::Relaxed);
        loop {
            if old & READY != 0 {
                return false;
            }
            if old & WAIT != 0 {
                // Whoever clears it comes for the list after this lock.
                return true;
            }
            // ord: form R with `unblock`: it sees WAIT, or the gate is seen
            // closed after this; model gate_vs_park
            match self.word.compare_exchange_weak(
                old,
                old | WAIT,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(found) => old = found,
            }
        }
    }

    /// Whether this seat holds a waker of the same task already, so that a poll
    /// for another reason clones nothing.
    fn sits(&self, seat: &Seat<'_>, waker: &Waker) -> bool {
        let waiters = self.waiters.lock();
        let held = match seat {
            Seat::Polled => waiters.polled.as_ref(),
            Seat::Listed(key) => key.and_then(|key| waiters.listed.get(key)?.as_ref()),
        };
        held.is_some_and(|held| held.will_wake(waker))
    }

    /// An event: ready, and everybody who waits goes to `out` (R-POLL-3).
    pub(crate) fn set_ready(&self, hup: bool, out: &mut Vec<Waker>) {
        let mut old = self.word.load(Ordering::Relaxed);
        loop {
            // HUP is kept, not replaced: two polls may hand over their events
            // in the wrong order. An operation that would block clears it.
            let new = ((old & !WAIT) | READY | if hup { HUP } else { 0 }).wrapping_add(TICK);
            // ord: publishes the event to `look`, and sees the waker's seat
            // through the lock; model clear_vs_event
            match self
                .word
                .compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(found) => old = found,
            }
        }
        if old & WAIT != 0 {
            self.waiters.lock().take_all(out);
        }
    }

    /// A time-out or the end: everybody who waits goes to `out`; nothing is
    /// kept for who does not.
    pub(crate) fn unblock(&self, out: &mut Vec<Waker>) {
        // ord: form R with `announce`, so this writes even when nobody waits;
        // model gate_vs_park
        if self.word.fetch_and(!WAIT, Ordering::AcqRel) & WAIT != 0 {
            self.waiters.lock().take_all(out);
        }
    }

    /// Gives a future's seat back.
    pub(crate) fn stand_up(&self, key: usize) {
        let mut waiters = self.waiters.lock();
        let waker = waiters.listed.try_remove(key).flatten();
        if waiters.listed.is_empty() && waiters.listed.capacity() > KEPT_SEATS {
            waiters.listed = Slab::new();
        }
        drop(waiters);
        drop(waker);
    }

    /// Whether somebody sits here with a waker.
    pub(crate) fn has_waiter(&self) -> bool {
        let waiters = self.waiters.lock();
        waiters.polled.is_some() || waiters.listed.iter().any(|(_, seat)| seat.is_some())
    }

    /// Whether somebody may be waiting: no lock, may say yes after the last
    /// one left.
    pub(crate) fn may_have_waiter(&self) -> bool {
        // ord: sees an announcement; the arming lock orders who arms last;
        // model none: one-shot pollers are tested, not modelled
        self.word.load(Ordering::Acquire) & WAIT != 0
    }

    #[cfg(test)]
    pub(crate) fn seats(&self) -> usize {
        self.waiters.lock().listed.len()
    }
}

impl Waiters {
    fn sit(&mut self, seat: Seat<'_>, waker: Waker) -> Option<Waker> {
        match seat {
            Seat::Polled => self.polled.replace(waker),
            Seat::Listed(Some(key)) => self.listed[*key].replace(waker),
            Seat::Listed(key) => {
                *key = Some(self.listed.insert(Some(waker)));
                None
            }
        }
    }

    fn take_all(&mut self, out: &mut Vec<Waker>) {
        out.extend(self.polled.take());
        out.extend(self.listed.iter_mut().filter_map(|(_, seat)| seat.take()));
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Slot")
            .field("ready", &(word & READY != 0))
            .field("hup", &(word & HUP != 0))
            .field("wait", &(word & WAIT != 0))
            .field("tick", &(word / TICK))
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::behaviour::Count;

    fn cleared() -> Slot {
        let slot = Slot::new();
        slot.clear(slot.look().unwrap());
        slot
    }

    fn park(slot: &Slot, waker: &Waker) -> Result<Park, Stop> {
        slot.park(Seat::Polled, waker, &Gate::new())
    }

    /// Rule R-POLL-3, test T-74.
    #[test]
    fn readiness_without_a_waiter_is_kept_once_and_a_timeout_is_not() {
        let slot = cleared();
        let (_, waker) = Count::new();
        let mut out = Vec::new();
        slot.set_ready(false, &mut out);
        slot.set_ready(false, &mut out);
        assert_eq!(park(&slot, &waker), Ok(Park::LookAgain));
        slot.clear(slot.look().unwrap());
        assert!(slot.look().is_none());
        slot.unblock(&mut out);
        assert_eq!(park(&slot, &waker), Ok(Park::Parked));
        assert!(out.is_empty());
    }

    #[test]
    fn an_event_after_the_look_survives_the_clearing() {
        let slot = Slot::new();
        let seen = slot.look().unwrap();
        slot.set_ready(false, &mut Vec::new());
        slot.clear(seen);
        assert!(slot.look().is_some());
    }

    #[test]
    fn a_short_read_does_not_clear_a_hangup_but_would_block_does() {
        let slot = Slot::new();
        assert!(slot.may_have_ended(), "nothing is known");
        slot.set_ready(false, &mut Vec::new());
        assert!(!slot.may_have_ended());
        slot.set_ready(true, &mut Vec::new());
        slot.set_ready(false, &mut Vec::new());
        slot.drained(slot.look().unwrap());
        assert!(slot.may_have_ended());
        slot.clear(slot.look().unwrap());
        assert!(slot.look().is_none() && !slot.may_have_ended());
        slot.set_ready(false, &mut Vec::new());
        slot.drained(slot.look().unwrap());
        assert!(slot.look().is_none());
    }

    /// Of the `poll_*` seat the last caller has it; each future keeps its own.
    #[test]
    fn seats_are_woken_once_and_the_polled_seat_has_one_owner() {
        let slot = cleared();
        let ((first, a), (second, b), (third, c)) = (Count::new(), Count::new(), Count::new());
        assert_eq!(park(&slot, &a), Ok(Park::Parked));
        assert_eq!(park(&slot, &b), Ok(Park::Parked));
        assert_eq!(park(&slot, &b), Ok(Park::Parked));
        let mut key = None;
        let gate = Gate::new();
        assert_eq!(
            slot.park(Seat::Listed(&mut key), &c, &gate),
            Ok(Park::Parked)
        );
        assert!(slot.has_waiter());
        let mut out = Vec::new();
        slot.unblock(&mut out);
        assert!(!slot.has_waiter());
        out.drain(..).for_each(Waker::wake);
        assert_eq!([first.get(), second.get(), third.get()], [0, 1, 1]);
        assert_eq!(slot.seats(), 1, "the future frees its seat, not the event");
        assert_eq!(
            slot.park(Seat::Listed(&mut key), &c, &gate),
            Ok(Park::Parked)
        );
        assert_eq!(slot.seats(), 1);
        slot.stand_up(key.unwrap());
        assert!(!slot.has_waiter());
        assert_eq!(slot.seats(), 0);
    }

    #[test]
    fn a_shut_gate_parks_nobody() {
        let slot = cleared();
        let gate = Gate::new();
        gate.close();
        let (_, waker) = Count::new();
        assert_eq!(slot.park(Seat::Polled, &waker, &gate), Err(Stop::Closed));
        assert!(!slot.has_waiter());
    }

    #[test]
    fn the_tick_wraps_without_touching_the_flags() {
        let slot = cleared();
        slot.word.store(usize::MAX & !(TICK - 1), Ordering::Relaxed);
        slot.set_ready(false, &mut Vec::new());
        assert_eq!(slot.word.load(Ordering::Relaxed), READY);
    }
}
