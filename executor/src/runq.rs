//! The local run queue of a P: a ring of 256 and the slot `runnext`.
//!
//! Rules R-RUNQ-1…7 and 10, R-STEAL-3 and 4 (Go's `runqput`, `runqget`,
//! `runqgrab`, `runqempty`, `runqdrain`).
//!
//! Who may do what: only the owner of the P moves `tail` and sets `runnext`;
//! anyone moves `head` forward by a compare-exchange, and anyone may take
//! `runnext` by one. A consumer copies the slots *before* it moves `head`; if
//! the exchange fails the copies are stale and are thrown away, so the slots
//! are atomics and an item is owned only after the exchange won.
//!
//! A ring and not a `Vec`: thieves read slots while the owner writes, so a slot
//! must never move. A full ring gives half of itself to a sink of the caller's
//! ([`RunQueue::spill`]); the queue knows no injector.

#![expect(
    unsafe_code,
    reason = "turns raw pointers of the slots back into owned items"
)]

use std::marker::PhantomData;
use std::ptr;

use crate::mutant::{self, Mutant};
use crate::sync::{AtomicPtr, AtomicU32, Ordering};

/// Slots of the ring: 256, Go's `len(p.runq)`; 4 in a model, where each slot
/// costs executions.
#[cfg(not(loom))]
pub(crate) const RING: u32 = 256;
#[cfg(loom)]
pub(crate) const RING: u32 = 4;
/// What an overflow moves besides the incoming item, and the most that one
/// steal or one batch takes.
pub(crate) const HALF: u32 = RING / 2;

/// Something that travels through queues as a thin pointer.
///
/// # Safety
/// `from_raw(into_raw(x))` must give back `x`, and the pointer is never null.
pub(crate) unsafe trait Item: Sized {
    /// Gives up ownership.
    fn into_raw(self) -> *mut ();
    /// Takes ownership back.
    ///
    /// # Safety
    /// `raw` came from `into_raw` and its ownership was not taken since.
    unsafe fn from_raw(raw: *mut ()) -> Self;
}

/// The queue. `T` is `ReadyG` in the scheduler and a number in tests.
pub(crate) struct RunQueue<T> {
    head: AtomicU32,
    tail: AtomicU32,
    runnext: AtomicPtr<()>,
    ring: Box<[AtomicPtr<()>]>,
    items: PhantomData<T>,
}

// SAFETY: the queue moves whole `T`s between threads and never hands out a
// reference to one, so `T: Send` is all it needs.
unsafe impl<T: Send> Send for RunQueue<T> {}
// SAFETY: as above; shared access goes through atomics only.
unsafe impl<T: Send> Sync for RunQueue<T> {}

/// The result of a steal attempt on one victim.
pub(crate) enum Grab<T> {
    /// The item to run; the rest is in the thief's ring.
    Got(T),
    /// Nothing that this thief may take.
    Nothing,
    /// Only `runnext` is left and `pause` asks for the back-off first
    /// (R-STEAL-4): sleep, then call again with `runnext_now`.
    OnlyRunnext,
}

/// What a thief may do with the victim's `runnext`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Runnext {
    /// Leave it alone (passes 1 to 3).
    Leave,
    /// Say [`Grab::OnlyRunnext`] if it is all there is.
    Ask,
    /// Take it.
    Take,
}

impl<T: Item> RunQueue<T> {
    pub(crate) fn new() -> RunQueue<T> {
        RunQueue::starting_at(0)
    }

    /// A queue whose indices start at `index`: tests start near the wrap.
    pub(crate) fn starting_at(index: u32) -> RunQueue<T> {
        RunQueue {
            head: AtomicU32::new(index),
            tail: AtomicU32::new(index),
            runnext: AtomicPtr::new(ptr::null_mut()),
            ring: (0..RING).map(|_| AtomicPtr::new(ptr::null_mut())).collect(),
            items: PhantomData,
        }
    }

    fn slot(&self, index: u32) -> &AtomicPtr<()> {
        &self.ring[(index % RING) as usize]
    }

    /// Owner only. Puts `item` in `runnext` (the newest wake runs first) and
    /// kicks the former one to the ring's tail, or puts it at the tail.
    ///
    /// `Ok(true)`: the queue was empty before, so the item is alone in it.
    ///
    /// # Errors
    /// The ring was full: the item that found no place in it, which is the former
    /// `runnext` or `item`, is for [`RunQueue::spill`].
    #[must_use = "what found no place is a runnable task"]
    #[inline]
    pub(crate) fn put(&self, item: T, next: bool) -> Result<bool, T> {
        let raw = item.into_raw();
        // Only the owner makes `runnext` non-null, so null read here stays null
        // and a plain store will do.
        // ord: nothing is taken from behind a null
        if next && self.runnext.load(Ordering::Relaxed).is_null() {
            // ord: publishes the item behind `raw` to the thief that takes runnext;
            // pairs with take_runnext; model runnext_once
            self.runnext.store(raw, Ordering::Release);
            return Ok(self.ring_is_empty());
        }
        self.put_behind(raw, next)
    }

    #[inline(never)]
    fn put_behind(&self, raw: *mut (), next: bool) -> Result<bool, T> {
        if !next {
            return self.put_raw(raw).map(|()| false);
        }
        let old = if mutant::is(Mutant::KickByLoadAndStore) {
            let old = self.runnext.load(Ordering::Acquire); // ord: a mutant
            self.runnext.store(raw, Ordering::Release); // ord: a mutant
            old
        } else {
            // A thief may take it at any moment.
            // ord: as in put, and sees the former item; model runnext_once
            self.runnext.swap(raw, Ordering::AcqRel)
        };
        if old.is_null() {
            return Ok(self.ring_is_empty());
        }
        self.put_raw(old).map(|()| false)
    }

    fn put_raw(&self, raw: *mut ()) -> Result<(), T> {
        // ord: sees that consumers have copied the slots they took; pairs
        // with the head exchange in get and grab; model none: loom lets no
        // load see a later store
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Relaxed); // ord: owner's own word
        let len = if mutant::is(Mutant::PlainLength) {
            tail.saturating_sub(head)
        } else {
            tail.wrapping_sub(head)
        };
        if len >= RING {
            // SAFETY: the caller's item, which is in no slot.
            return Err(unsafe { T::from_raw(raw) });
        }
        self.slot(tail).store(raw, Ordering::Relaxed); // ord: published by tail
        // ord: publishes slot[tail]; pairs with grab; model each_g_once
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Owner only, with what [`RunQueue::put`] gave back: the older half of the ring
    /// goes to `sink` and `item` behind it, oldest first (R-RUNQ-4). If a thief has made
    /// room meanwhile, the item goes into the ring.
    #[cold]
    pub(crate) fn spill(&self, mut item: T, mut sink: impl FnMut(T)) {
        while let Err(back) = self.put_raw(item.into_raw()) {
            if let Some(half) = self.take_half() {
                for raw in half {
                    // SAFETY: the exchange won, so the items of these slots are ours alone.
                    sink(unsafe { T::from_raw(raw) });
                }
                return sink(back);
            }
            item = back;
        }
    }

    /// Takes the older half out of a full ring. None: a thief has moved head.
    fn take_half(&self) -> Option<[*mut (); HALF as usize]> {
        let tail = self.tail.load(Ordering::Relaxed); // ord: owner's own word
        let head = tail.wrapping_sub(RING);
        let mut half = [ptr::null_mut(); HALF as usize];
        for (i, out) in (0..HALF).zip(half.iter_mut()) {
            *out = self.slot(head.wrapping_add(i)).load(Ordering::Relaxed); // ord: own stores
        }
        let behind = head.wrapping_add(HALF);
        if mutant::is(Mutant::OverflowUnclaimed) {
            self.head.store(behind, Ordering::Release); // ord: a mutant
            return Some(half);
        }
        // ord: releases the slots for reuse; pairs with put_raw; model none, as there
        self.head
            .compare_exchange(head, behind, Ordering::Release, Ordering::Relaxed)
            .ok()
            .map(|_| half)
    }

    /// Owner only. Fills the ring from `batch` in order with one publication of
    /// the tail (R-RUNQ-5); what does not fit stays in the iterator.
    pub(crate) fn put_batch(&self, batch: &mut impl Iterator<Item = T>) {
        let head = self.head.load(Ordering::Acquire); // ord: as in put_raw
        let mut tail = self.tail.load(Ordering::Relaxed); // ord: owner's own word
        while tail.wrapping_sub(head) < RING {
            let Some(item) = batch.next() else { break };
            self.slot(tail).store(item.into_raw(), Ordering::Relaxed); // ord: published by tail
            tail = tail.wrapping_add(1);
        }
        // ord: publishes all the slots; pairs with grab; model each_g_once
        self.tail.store(tail, Ordering::Release);
    }

    /// Owner only. The next item and whether it inherits the time slice
    /// (R-RUNQ-6): `runnext` does, the ring does not.
    pub(crate) fn get(&self) -> Option<(T, bool)> {
        if let Some(item) = self.take_runnext() {
            return Some((item, true));
        }
        self.get_ring().map(|item| (item, false))
    }

    /// Owner only. The head of the ring.
    pub(crate) fn get_ring(&self) -> Option<T> {
        loop {
            let head = self.head.load(Ordering::Acquire); // ord: pairs with other consumers
            let tail = self.tail.load(Ordering::Relaxed); // ord: owner's own word
            if head == tail {
                return None;
            }
            let raw = self.slot(head).load(Ordering::Relaxed); // ord: own store
            // ord: releases the slot, and a thief that sees this head sees the
            // tail behind it; pairs with put_raw and grab; model each_g_once
            let won = self.head.compare_exchange(
                head,
                head.wrapping_add(1),
                Ordering::Release,
                Ordering::Relaxed,
            );
            if won.is_ok() {
                // SAFETY: the exchange made this consumer the only owner.
                return Some(unsafe { T::from_raw(raw) });
            }
        }
    }

    /// Anyone. Takes `runnext` if it is there. One exchange and no retry: a
    /// failure means that somebody else took it (L-2).
    pub(crate) fn take_runnext(&self) -> Option<T> {
        let raw = self.runnext.load(Ordering::Relaxed); // ord: the exchange decides
        if raw.is_null() {
            return None;
        }
        // ord: sees the item's publication; pairs with put; model runnext_once
        let taken = self
            .runnext
            .compare_exchange(raw, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        // SAFETY: the exchange made this thread the only owner. A pointer
        // that was taken, freed and put again in between is the new item.
        taken.then(|| unsafe { T::from_raw(raw) })
    }

    /// A thief: moves half of this queue, rounded up, to the ring of `mine` and
    /// returns the last one to run (R-STEAL-3). `mine` is the thief's own
    /// queue, and its ring is empty.
    pub(crate) fn grab_into(&self, mine: &RunQueue<T>, runnext: Runnext) -> Grab<T> {
        loop {
            // ord: sees other consumers' moves; pairs with get, grab
            let head = self.head.load(Ordering::Acquire);
            // ord: sees slot[..tail]; pairs with put_raw; model each_g_once
            let tail = self.tail.load(Ordering::Acquire);
            let len = tail.wrapping_sub(head);
            let n = len - len / 2;
            if n == 0 {
                // ord: a hint; take_runnext decides
                if runnext == Runnext::Leave || self.runnext.load(Ordering::Relaxed).is_null() {
                    return Grab::Nothing;
                }
                if runnext == Runnext::Ask {
                    return Grab::OnlyRunnext;
                }
                match self.take_runnext() {
                    Some(item) => return Grab::Got(item),
                    None => continue,
                }
            }
            if n > HALF {
                continue; // head and tail were read at different moments
            }
            let base = mine.tail.load(Ordering::Relaxed); // ord: the thief owns it
            if mutant::is(Mutant::PublishBeforeCopy) {
                mine.tail.store(base.wrapping_add(n - 1), Ordering::Release); // ord: a mutant
            }
            if !mutant::is(Mutant::CopyAfterClaim) {
                self.copy_to(mine, head, base, n);
            }
            // ord: releases the victim's slots; pairs with put_raw; model none, as there
            let won = self.head.compare_exchange(
                head,
                head.wrapping_add(n),
                Ordering::Release,
                Ordering::Relaxed,
            );
            if won.is_err() {
                continue;
            }
            if mutant::is(Mutant::CopyAfterClaim) {
                self.copy_to(mine, head, base, n);
            }
            let last = mine.slot(base.wrapping_add(n - 1)).load(Ordering::Relaxed); // ord: own store
            if n > 1 {
                // ord: publishes the stolen slots to the next thief; model chained_steal
                mine.tail.store(base.wrapping_add(n - 1), Ordering::Release);
            }
            // SAFETY: the exchange won, so the n copied items are ours; this
            // one was not published with the tail.
            return Grab::Got(unsafe { T::from_raw(last) });
        }
    }

    fn copy_to(&self, mine: &RunQueue<T>, head: u32, base: u32, n: u32) {
        for i in 0..n {
            // ord: published by the victim's tail; may be stale, then the exchange fails
            let raw = self.slot(head.wrapping_add(i)).load(Ordering::Relaxed);
            mine.slot(base.wrapping_add(i))
                .store(raw, Ordering::Relaxed); // ord: published by the thief's tail
        }
    }

    /// Anyone. Never says "empty" while an item is queued: the owner may kick
    /// `runnext` into the ring between two reads, so the tail is read twice
    /// and must not have moved (R-RUNQ-7).
    pub(crate) fn is_empty(&self) -> bool {
        loop {
            // ord: before tail: an owner that took from the ring had put the next item first;
            // pairs with get_ring; model never_falsely_empty
            let head = self.head.load(Ordering::Acquire);
            // ord: before runnext
            let tail = self.tail.load(Ordering::Acquire);
            // ord: before the second tail: who took from runnext had kicked the former item first;
            // pairs with take_runnext; model never_falsely_empty
            let next = self.runnext.load(Ordering::Acquire);
            let again = self.tail.load(Ordering::Relaxed); // ord: ordered by the one before
            if tail == again || mutant::is(Mutant::EmptyAtOneLook) {
                return head == tail && next.is_null();
            }
        }
    }

    /// Items in the ring, a hint for metrics; `runnext` is not counted.
    pub(crate) fn len(&self) -> u32 {
        let head = self.head.load(Ordering::Relaxed); // ord: hint
        let tail = self.tail.load(Ordering::Relaxed); // ord: hint
        tail.wrapping_sub(head).min(RING)
    }

    /// Whether the ring is empty, a hint.
    pub(crate) fn ring_is_empty(&self) -> bool {
        let head = self.head.load(Ordering::Relaxed); // ord: hint
        head == self.tail.load(Ordering::Relaxed) // ord: hint
    }

    /// Whether `runnext` holds something, a hint.
    pub(crate) fn has_runnext(&self) -> bool {
        !self.runnext.load(Ordering::Relaxed).is_null() // ord: hint
    }

    /// Shows the raw items to `look`, `runnext` first. Whoever has stopped the
    /// world may call it: nobody puts or takes meanwhile.
    #[cfg(not(loom))]
    pub(crate) fn peek(&self, mut look: impl FnMut(*mut ())) {
        let head = self.head.load(Ordering::Acquire); // ord: sees the last owner's work
        let tail = self.tail.load(Ordering::Acquire); // ord: as above
        let next = self.runnext.load(Ordering::Acquire); // ord: as above
        if !next.is_null() {
            look(next);
        }
        for i in 0..tail.wrapping_sub(head) {
            look(self.slot(head.wrapping_add(i)).load(Ordering::Relaxed)); // ord: published by tail
        }
    }

    /// Owner only. Everything: `runnext` first, then the ring in order
    /// (R-RUNQ-10).
    pub(crate) fn drain(&self, mut sink: impl FnMut(T)) {
        while let Some((item, _)) = self.get() {
            sink(item);
        }
    }
}

impl<T> std::fmt::Debug for RunQueue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = self.head.load(Ordering::Relaxed); // ord: for people
        let tail = self.tail.load(Ordering::Relaxed); // ord: for people
        f.debug_struct("RunQueue")
            .field("len", &tail.wrapping_sub(head))
            .field("runnext", &self.runnext.load(Ordering::Relaxed)) // ord: for people
            .finish()
    }
}
