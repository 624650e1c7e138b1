//! A P has one owner while its M's poll goes in and out of the runtime and a
//! taker wants it (L13).

#![expect(unsafe_code, reason = "opens loom's cells")]

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::explore;
use crate::fence::PFence;

/// An M, and two Ps: it has the first.
struct World {
    fence: PFence,
    /// The P that the M has, as `MShared::p` says it.
    place: AtomicUsize,
    ps: [UnsafeCell<u32>; 2],
}

// SAFETY: loom fails the model if two threads open a cell at the same time.
unsafe impl Sync for World {}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            fence: PFence::new(),
            place: AtomicUsize::new(0),
            ps: [UnsafeCell::new(0), UnsafeCell::new(0)],
        })
    }

    /// What an owner does with its P.
    fn use_p(&self, id: usize) {
        // SAFETY: loom checks that nobody else has the cell open.
        self.ps[id].with_mut(|data| unsafe { *data += 1 });
    }

    /// One poll with `sections` calls into the runtime. Whether the M still has
    /// its P afterwards.
    fn poll(&self, id: usize, sections: usize) -> bool {
        self.use_p(id);
        self.fence.begin_poll();
        for _ in 0..sections {
            if self.fence.enter() {
                self.use_p(id);
            }
            self.fence.leave();
        }
        let kept = self.fence.end_poll();
        if kept {
            self.use_p(id);
        }
        kept
    }

    /// In the scheduler, without a P: the M gets one that nobody has.
    fn acquire(&self, id: usize) {
        self.fence.reset();
        // ord: as in M::acquire_p
        self.place.store(id, Ordering::Release);
    }

    fn take(&self, patience: u32) -> Option<usize> {
        // ord: as in take_p
        let taken = self
            .fence
            .take_where(patience, || self.place.load(Ordering::Acquire));
        if let Some(id) = taken {
            self.use_p(id);
        }
        taken
    }
}

fn taker(world: &Arc<World>, tries: usize) -> thread::JoinHandle<Option<usize>> {
    let world = world.clone();
    thread::spawn(move || (0..tries).find_map(|_| world.take(2)))
}

/// One poll, with and without a call into the runtime: afterwards one of both
/// has the P, not both and not nobody.
fn one_owner() {
    for sections in 0..2 {
        explore(move || {
            let world = World::new();
            let taker = taker(&world, 1);
            let kept = world.poll(0, sections);
            let taken = taker.join().expect("the taker ends").is_some();
            assert_ne!(kept, taken, "the P has two owners, or none");
        });
    }
}

/// The M comes back while the taker loses its patience after a single look.
fn one_owner_after_a_withdrawal() {
    explore(|| {
        let world = World::new();
        let m = thread::spawn({
            let world = world.clone();
            move || world.poll(0, 0)
        });
        let taken = world.take(1).is_some();
        let kept = m.join().expect("the M ends");
        assert_ne!(kept, taken, "the P has two owners, or none");
    });
}

/// A taker that does not give up, and an M that polls again if it may.
fn taken_at_last() {
    explore(|| {
        let world = World::new();
        let taker = taker(&world, 2);
        let kept = world.poll(0, 0) && world.poll(0, 1);
        let taken = taker.join().expect("the taker ends").is_some();
        assert_ne!(kept, taken, "the P has two owners, or none");
    });
}

/// The M goes on with the other P, and the taker has the one that it took.
fn goes_on_with_another() {
    explore(|| {
        let world = World::new();
        let taker = taker(&world, 1);
        if world.poll(0, 0) {
            assert_eq!(taker.join().expect("the taker ends"), None);
            return;
        }
        world.acquire(1);
        let kept = world.poll(1, 0);
        assert_eq!(
            taker.join().expect("the taker ends"),
            Some(0),
            "the wrong P"
        );
        assert!(kept);
    });
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        "p_fence": one_owner, one_owner_after_a_withdrawal, taken_at_last,
            goes_on_with_another;
        catches_a_p_that_is_taken_without_asking: Mutant::TakenUnclaimed, one_owner, "";
        catches_a_withdrawn_request_taken_for_a_loss: Mutant::WithdrawnIsLost, one_owner_after_a_withdrawal,
            "two owners, or none";
        catches_a_late_look_for_the_p: Mutant::LookAfterTaking, goes_on_with_another, ""
    }
}
