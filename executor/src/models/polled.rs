//! The task of a poll without a P lives for as long as a snapshot looks at it: the end
//! of such a poll passes the snapshot's lock first (`MShared::look_at_poll`).

#![expect(unsafe_code, reason = "opens loom's cells")]

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::explore;
use crate::fence::PFence;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A poll that has lost its P ends as any other.
    EndUngated,
    /// The looker does not ask whether the M is in a poll.
    LookAnyway,
}

/// An M, and its tasks one after the other.
struct World {
    fence: PFence,
    /// `Sched::allm`.
    gate: Mutex<()>,
    /// The task that is polled, its index plus 1.
    curg: AtomicUsize,
    tasks: [UnsafeCell<bool>; 2],
}

// SAFETY: loom fails the model if a cell is written while it is read.
unsafe impl Sync for World {}

impl World {
    fn new() -> World {
        World {
            fence: PFence::new(),
            gate: Mutex::new(()),
            curg: AtomicUsize::new(0),
            tasks: [UnsafeCell::new(true), UnsafeCell::new(true)],
        }
    }

    /// A poll in which the task ends.
    fn poll(&self, index: usize, fault: Fault) {
        self.curg.store(index + 1, Ordering::Relaxed); // ord: as in CurG
        self.fence.begin_poll();
        let kept = self.fence.end_poll();
        if !kept && fault != Fault::EndUngated {
            drop(self.gate.lock());
        }
        // SAFETY: loom checks that nobody else has the cell open.
        self.tasks[index].with_mut(|alive| unsafe { *alive = false });
        self.curg.store(0, Ordering::Relaxed); // ord: as in CurG
    }

    fn look(&self, fault: Fault) {
        let _gate = self.gate.lock();
        if !self.fence.is_out() && fault != Fault::LookAnyway {
            return;
        }
        let curg = self.curg.load(Ordering::Relaxed); // ord: as in look_at_poll
        if let Some(index) = curg.checked_sub(1) {
            // SAFETY: loom checks that nobody writes the cell meanwhile.
            let alive = self.tasks[index].with(|alive| unsafe { *alive });
            assert!(alive, "the task has ended");
        }
    }
}

/// An M that has no P polls two tasks.
fn looked_at_aside(fault: Fault) {
    explore(move || {
        let world = Arc::new(World::new());
        world.fence.lose();
        let m = thread::spawn({
            let world = world.clone();
            move || (0..2).for_each(|index| world.poll(index, fault))
        });
        world.look(fault);
        m.join().expect("the M ends");
    });
}

/// The looker has taken the P out of the poll.
fn looked_at_after_taking(fault: Fault) {
    explore(move || {
        let world = Arc::new(World::new());
        let m = thread::spawn({
            let world = world.clone();
            move || world.poll(0, fault)
        });
        if world.fence.take_where(2, || ()).is_some() {
            world.look(fault);
        }
        m.join().expect("the M ends");
    });
}

fn look_at_polls_aside() {
    looked_at_aside(Fault::None);
}

fn look_at_a_poll_whose_p_was_taken() {
    looked_at_after_taking(Fault::None);
}

mod tests {
    use super::{Fault, looked_at_after_taking, looked_at_aside};

    crate::models::models! {
        "polled": look_at_polls_aside, look_at_a_poll_whose_p_was_taken
    }

    #[test]
    #[should_panic]
    fn catches_an_end_beside_the_lock() {
        looked_at_aside(Fault::EndUngated);
    }

    #[test]
    #[should_panic]
    fn catches_an_end_beside_the_lock_after_the_p_was_taken() {
        looked_at_after_taking(Fault::EndUngated);
    }

    #[test]
    #[should_panic]
    fn catches_a_look_at_whatever_was_polled() {
        looked_at_aside(Fault::LookAnyway);
    }
}
