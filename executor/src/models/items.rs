//! Numbered items that tell when they are delivered twice, not at all, or before
//! they were published.

#![expect(
    unsafe_code,
    reason = "implements the queue's item contract and opens loom's cells"
)]

use std::ptr;

use loom::cell::UnsafeCell;

use crate::runq::{Grab, Item, RunQueue, Runnext};

/// An item: its index in the ledger.
pub(super) struct Num(usize);

// SAFETY: the number goes in and out unchanged, off by one so that it is never null.
unsafe impl Item for Num {
    fn into_raw(self) -> *mut () {
        ptr::without_provenance_mut(self.0 + 1)
    }

    unsafe fn from_raw(raw: *mut ()) -> Num {
        Num(raw
            .addr()
            .checked_sub(1)
            .expect("a slot was read before it was written"))
    }
}

impl Num {
    pub(super) fn number(&self) -> usize {
        self.0
    }
}

/// What became of each item. loom checks that whoever delivers one sees its making.
pub(super) struct Ledger(Vec<UnsafeCell<Fate>>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Unborn,
    Queued,
    Delivered,
}

// SAFETY: loom fails the model if two threads open a cell at the same time.
unsafe impl Sync for Ledger {}

impl Ledger {
    pub(super) fn new(items: usize) -> Ledger {
        Ledger((0..items).map(|_| UnsafeCell::new(Fate::Unborn)).collect())
    }

    fn turn(&self, item: usize, from: Fate, to: Fate) {
        // SAFETY: loom checks that nobody else has the cell open.
        let before = self.0[item].with_mut(|fate| unsafe { fate.replace(to) });
        assert_eq!(before, from, "item {item} turns {to:?}");
    }

    pub(super) fn make(&self, item: usize) -> Num {
        self.turn(item, Fate::Unborn, Fate::Queued);
        Num(item)
    }

    pub(super) fn deliver(&self, item: Num) {
        self.turn(item.0, Fate::Queued, Fate::Delivered);
    }

    /// The owner takes up to `count` items.
    pub(super) fn run(&self, queue: &RunQueue<Num>, count: usize) {
        for _ in 0..count {
            let Some((item, _)) = queue.get() else { break };
            self.deliver(item);
        }
    }

    /// A thief steals once, runs what it got and empties its own queue.
    pub(super) fn steal(&self, victim: &RunQueue<Num>, mine: &RunQueue<Num>, runnext: Runnext) {
        if let Grab::Got(item) = victim.grab_into(mine, runnext) {
            self.deliver(item);
        }
        self.run(mine, usize::MAX);
    }

    /// At the end, with nobody else about.
    pub(super) fn settle(&self, queue: &RunQueue<Num>) {
        self.run(queue, usize::MAX);
        assert!(queue.is_empty());
        for (item, cell) in self.0.iter().enumerate() {
            // SAFETY: every other thread was joined.
            let fate = cell.with(|fate| unsafe { *fate });
            assert_ne!(fate, Fate::Queued, "item {item} is lost");
        }
    }
}
