//! The face that a timer set shows to other threads: its next deadline and its counts, as atomics.
//!
//! `stop` and `reset` run on any thread and must not touch a foreign heap, so a timer knows its set
//! by this type alone.
//!
//! Two words make up the next deadline. `min_heap` follows the first entry of the heap and is
//! written under the set's lock. `min_modified` is lowered by whoever moves a timer to an earlier
//! deadline than its entry shows. Both use 0 for "none".
//!
//! # The two protocols
//!
//! **No earlier deadline is lost** (model `t70_earlier_deadline_survives_adjust`). The mover
//! publishes the deadline in the timer, *then* passes a read-modify-write on `min_modified`.
//! `adjust` clears `min_modified` by a read-modify-write, *then* looks at every timer. Whoever
//! comes second on that word sees what the other one published. `min_modified` is therefore never
//! plainly stored: a store would cut the chain.
//!
//! **`next` never skips a deadline** (model `next_never_skips_a_deadline`). `adjust` copies
//! `min_modified` into `min_heap` before it clears it, and `next` reads them in the opposite order,
//! so it sees the value in one place or in both.
//!
//! # Memory
//!
//! Faces live for ever: a timer keeps a plain `&'static Face`, and entering a heap costs no
//! reference count. A set that is dropped has put all its timers out before it hands its face to
//! the next set, so the number of faces is that of the sets that ever existed at one time.

use crate::mutant::{self, Mutant};
use crate::sync::{AcqRel, Acquire, AtomicU64, AtomicUsize, Relaxed, Release, store_load_fence};

/// Shared words of one set. A line of their own: thieves read them all the time.
#[repr(align(64))]
pub(crate) struct Face {
    min_heap: AtomicU64,
    min_modified: AtomicU64,
    len: AtomicUsize,
    stopped: AtomicUsize,
    reaped: AtomicUsize,
    owner: AtomicUsize,
}

impl Face {
    /// A face for a new set, all words 0 but the owner's number.
    pub(crate) fn lease(owner: usize) -> &'static Face {
        let face = pool::take().unwrap_or_else(|| Box::leak(Box::new(Face::new())));
        // ord: whoever finds the face in a timer has it from under the timer's lock
        face.owner.store(owner, Relaxed);
        face
    }

    /// The number that the set was made with.
    pub(crate) fn owner(&self) -> usize {
        self.owner.load(Relaxed)
    }

    /// Hands a face on. No timer may know it any more.
    pub(crate) fn release(&'static self) {
        self.min_heap.store(0, Relaxed);
        self.min_modified.swap(0, Relaxed);
        self.len.store(0, Relaxed);
        self.stopped.store(0, Relaxed);
        self.reaped.store(0, Relaxed);
        pool::put(self);
    }

    fn new() -> Face {
        Face {
            min_heap: AtomicU64::new(0),
            min_modified: AtomicU64::new(0),
            len: AtomicUsize::new(0),
            stopped: AtomicUsize::new(0),
            reaped: AtomicUsize::new(0),
            owner: AtomicUsize::new(0),
        }
    }

    /// The earliest deadline, 0 if there is none. May be too early, never too late.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        if mutant::is(Mutant::HeapWordFirst) {
            let heap = self.min_heap.load(Acquire);
            return earlier(self.min_modified.load(Acquire), heap);
        }
        // ord: a cleared word shows the fold before it; pairs with clear_modified; model
        // next_never_skips_a_deadline
        let modified = self.min_modified.load(Acquire);
        // ord: sees the set as it was published; pairs with publish; model
        // next_never_skips_a_deadline
        earlier(modified, self.min_heap.load(Acquire))
    }

    /// Whether some timer has been moved to a deadline that `now` has reached.
    pub(crate) fn modified_due(&self, now: u64) -> bool {
        let modified = self.min_modified.load(Relaxed);
        modified != 0 && modified <= now
    }

    /// Takes the new deadline of a timer whose entry still shows a later one. Call after the
    /// deadline is published in the timer. True if the owner may be about to sleep past it.
    pub(crate) fn lower(&self, when: u64) -> bool {
        let early_look = self.min_heap.load(Relaxed);
        let mut seen = self.min_modified.load(Relaxed);
        loop {
            let low = earlier(seen, when);
            if mutant::is(Mutant::LowerWithoutWrite) && low == seen {
                break;
            }
            // Writes even if the word is low enough: the write itself is what shows the timer's
            // deadline to `adjust`.
            // ord: publishes the timer's deadline; pairs with clear_modified; model
            // t70_earlier_deadline_survives_adjust
            match self
                .min_modified
                .compare_exchange_weak(seen, low, AcqRel, Relaxed)
            {
                Ok(_) => break,
                Err(current) => seen = current,
            }
        }
        if seen != 0 && seen <= when {
            // Whoever lowered the word that far has the duty to wake.
            return false;
        }
        if mutant::is(Mutant::LookBeforeLower) {
            return early_look == 0 || when < early_look;
        }
        // Lowered, then look: a sleeper fences between `check` and its last look at `next` (crate
        // docs), so either that look sees this deadline, or this one sees what the sleeper has left
        // in the heap's word.
        if !mutant::is(Mutant::LookWithoutFence) {
            store_load_fence();
        }
        let heap = self.min_heap.load(Relaxed);
        heap == 0 || when < heap
    }

    /// Clears the word of moved timers, keeping its value in the heap's word. Under the set's lock.
    pub(crate) fn clear_modified(&self) {
        let mut seen = self.min_modified.load(Relaxed);
        while seen != 0 {
            if !mutant::is(Mutant::ClearWithoutFold) {
                // ord: carried by the exchange below; model next_never_skips_a_deadline
                self.min_heap
                    .store(earlier(seen, self.min_heap.load(Relaxed)), Relaxed);
            }
            // ord: sees the deadlines behind the value and publishes the fold; pairs with lower and
            // next; model t70_earlier_deadline_survives_adjust
            match self
                .min_modified
                .compare_exchange_weak(seen, 0, AcqRel, Relaxed)
            {
                Ok(_) => break,
                Err(current) => seen = current,
            }
        }
    }

    /// Shows the state of the heap: its first deadline (0: empty) and its length. Under the set's
    /// lock.
    pub(crate) fn publish(&self, first: u64, len: usize) {
        self.len.store(len, Relaxed);
        // ord: publishes the heap's first deadline; pairs with next; model
        // next_never_skips_a_deadline
        self.min_heap.store(first, Release);
    }

    /// Entries in the heap, dead ones included.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Entries whose timer is stopped. A hint outside the set's lock.
    pub(crate) fn zombies(&self) -> usize {
        // Stops are counted after the timer is marked and reaping may see the mark first, hence
        // saturating.
        let reaped = self.reaped.load(Relaxed);
        let balance = self.stopped.load(Relaxed).wrapping_sub(reaped);
        if balance > usize::MAX / 2 { 0 } else { balance }
    }

    /// Counts a timer that was stopped in the heap.
    pub(crate) fn count_stop(&self) {
        self.stopped.fetch_add(1, Relaxed);
    }

    /// Takes a count back: the timer came to life again before anybody removed it.
    pub(crate) fn uncount_stop(&self) {
        self.stopped.fetch_sub(1, Relaxed);
    }

    /// Counts zombies that left the heap. Under the set's lock, which is why a plain store will do.
    pub(crate) fn count_reaped(&self, n: usize) {
        self.reaped
            .store(self.reaped.load(Relaxed).wrapping_add(n), Relaxed);
    }
}

/// The earlier of two deadlines, where 0 is none.
fn earlier(a: u64, b: u64) -> u64 {
    // 0 wraps to the largest value, so one comparison does for all four cases.
    if a.wrapping_sub(1) < b.wrapping_sub(1) {
        a
    } else {
        b
    }
}

#[cfg(not(loom))]
mod pool {
    use super::Face;

    // A plain mutex: sets come and go with Ps, a few times in the life of a process.
    static POOL: std::sync::Mutex<Vec<&'static Face>> = std::sync::Mutex::new(Vec::new());

    pub(super) fn take() -> Option<&'static Face> {
        // Whoever finds it locked makes a new one: in a child of fork the owner of the
        // lock may not exist.
        POOL.try_lock().ok()?.pop()
    }

    pub(super) fn put(face: &'static Face) {
        if let Ok(mut pool) = POOL.lock() {
            pool.push(face);
        }
    }
}

#[cfg(loom)]
mod pool {
    use super::Face;

    // A modelled word belongs to one execution of the model and cannot be handed on.
    pub(super) fn take() -> Option<&'static Face> {
        None
    }

    pub(super) fn put(_: &'static Face) {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn earlier_ignores_none() {
        assert_eq!(earlier(0, 0), 0);
        assert_eq!(earlier(0, 5), 5);
        assert_eq!(earlier(5, 0), 5);
        assert_eq!(earlier(4, 5), 4);
        assert_eq!(earlier(u64::MAX, 5), 5);
    }

    #[test]
    fn lower_tells_who_has_to_wake() {
        let face = Face::new();
        face.publish(100, 1);
        assert!(!face.lower(100), "the owner looks at 100 anyway");
        assert!(face.lower(50));
        assert!(!face.lower(60), "50 has been announced");
        assert!(face.lower(40));
        assert_eq!(face.next(), 40);
    }

    #[test]
    fn clearing_keeps_the_deadline_in_sight() {
        let face = Face::new();
        face.publish(100, 1);
        face.lower(50);
        face.clear_modified();
        assert!(!face.modified_due(u64::MAX));
        assert_eq!(face.next(), 50);
        face.publish(70, 1);
        assert_eq!(face.next(), 70);
    }

    #[test]
    fn zombies_never_go_below_none() {
        let face = Face::new();
        face.count_reaped(1);
        assert_eq!(face.zombies(), 0);
        face.count_stop();
        face.count_stop();
        assert_eq!(face.zombies(), 1);
        face.uncount_stop();
        assert_eq!(face.zombies(), 0);
    }
}
