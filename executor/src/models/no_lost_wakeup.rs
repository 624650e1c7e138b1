//! No task waits while a P is idle and nobody is on the way to it (T-31, T-32).
//!
//! The protocol of `idle/README.md` told over its word [`Idle`]: rings are flags,
//! the idle list is a count under a lock, and an M that is started counts as
//! awake instead of running. Such an M searches everything, and passes the baton
//! on; so it is enough that at the end of each execution either nothing waits, no
//! P is idle, or somebody is awake.

use std::sync::Arc;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::explore;
use crate::idle::{Counts, Idle};

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A dropper looks again before it lowers the count.
    LookBeforeLowering,
    /// A dropper that did not spin does not look again (R-SPIN-11).
    NoSecondLook,
    /// A dropper that found work searches without being counted (R-SPIN-7).
    SearchUncounted,
    /// A starter without a P lowers the count after its critical section.
    UndoAfterUnlock,
    /// A spinner that found work wakes nobody (R-SPIN-4).
    BatonDropped,
}

struct World {
    idle: Idle,
    lists: Mutex<Lists>,
    /// The rings of two Ps that are busy for good.
    rings: [AtomicBool; 2],
    fault: Fault,
}

#[derive(Default)]
struct Lists {
    pidle: u32,
    /// Ms that were started, each with a P and counted as spinning.
    awake: u32,
}

impl World {
    fn new(fault: Fault, pidle: u32, spinning: u32) -> Arc<World> {
        let idle = Idle::new();
        (0..pidle).for_each(|_| idle.p_idle());
        (0..spinning).for_each(|_| idle.become_spinning());
        Arc::new(World {
            idle,
            lists: Mutex::new(Lists { pidle, awake: 0 }),
            rings: [AtomicBool::new(false), AtomicBool::new(false)],
            fault,
        })
    }

    /// A busy P's task makes another runnable.
    fn submit(&self, ring: usize) {
        // ord: the fences of the protocol alone must order the work
        self.rings[ring].store(true, Ordering::Relaxed);
        self.wake_p();
    }

    fn wake_p(&self) {
        if self.idle.must_wake() {
            self.start_m();
        }
    }

    fn start_m(&self) {
        let mut lists = self.lists.lock().expect("no poison");
        if lists.pidle > 0 {
            lists.pidle -= 1;
            self.idle.p_busy();
            lists.awake += 1;
        } else if self.fault == Fault::UndoAfterUnlock {
            drop(lists);
            self.idle.undo_spinning();
        } else {
            self.idle.undo_spinning();
        }
    }

    fn work_exists(&self) -> bool {
        self.rings.iter().any(|ring| ring.load(Ordering::Relaxed))
    }

    /// An M takes one task, if it sees one; as a spinner it passes the baton on.
    fn search(&self, spinning: bool) -> bool {
        let found = self
            .rings
            .iter()
            .any(|ring| ring.swap(false, Ordering::Relaxed));
        if found && spinning {
            self.idle.leave_spinning();
            if self.fault != Fault::BatonDropped {
                self.wake_p();
            }
        }
        found
    }

    /// An M that found nothing drops its P.
    fn give_up(&self, spinning: bool) {
        let mut lists = self.lists.lock().expect("no poison");
        lists.pidle += 1;
        self.idle.p_idle();
        drop(lists);
        let early = self.fault == Fault::LookBeforeLowering && self.work_exists();
        if spinning {
            self.idle.leave_spinning();
        }
        self.idle.drop_fence();
        let found = match self.fault {
            Fault::LookBeforeLowering => early,
            Fault::NoSecondLook if !spinning => false,
            _ => self.work_exists(),
        };
        if found {
            self.start_over();
        }
    }

    fn start_over(&self) {
        if !self.take_p() {
            self.idle.set_need_spinning();
            return;
        }
        let counted = self.fault != Fault::SearchUncounted;
        if counted {
            self.idle.become_spinning();
        }
        if !self.search(counted) {
            // Somebody else has it: the same once more, as the loop does.
            self.give_up(counted);
        }
    }

    fn take_p(&self) -> bool {
        let mut lists = self.lists.lock().expect("no poison");
        if lists.pidle == 0 {
            return false;
        }
        lists.pidle -= 1;
        self.idle.p_busy();
        true
    }

    /// With nobody else about.
    fn check(&self) {
        let lists = self.lists.lock().expect("no poison");
        assert_eq!(
            self.idle.counts(),
            Counts {
                idle: lists.pidle,
                spinning: lists.awake
            },
            "the counts are off"
        );
        assert!(
            !self.work_exists() || lists.pidle == 0 || lists.awake > 0,
            "a task waits, a P is idle and nobody is awake"
        );
    }

    fn run<const N: usize>(self: Arc<World>, actors: [fn(&World); N]) {
        let threads = actors.map(|actor| {
            let world = self.clone();
            thread::spawn(move || actor(&world))
        });
        for thread in threads {
            thread.join().expect("the counts are whole");
        }
        self.check();
    }
}

/// T-31: one submits, the last spinner gives up.
fn last_spinner(fault: Fault) {
    explore(move || {
        World::new(fault, 0, 1).run([|w| w.submit(0), |w| w.give_up(true)]);
    });
}

/// Two tasks, two Ps that are idle or become so: the second task is found by
/// whom the finder of the first one wakes.
fn two_tasks(fault: Fault) {
    explore(move || {
        World::new(fault, 1, 1).run([
            |w| {
                w.submit(0);
                w.submit(1);
            },
            |w| w.give_up(true),
        ]);
    });
}

/// Case 3 of the README: a starter claims the spinner's place and finds no P; the
/// M that took the P drops it again, and a second submitter reads the claim.
fn failed_claim(fault: Fault) {
    explore(move || {
        let world = World::new(fault, 1, 0);
        assert!(world.idle.must_wake(), "there is an idle P");
        assert!(world.take_p(), "the P is still there");
        world.run([World::start_m, |w| w.give_up(false), |w| w.submit(0)]);
    });
}

/// The same from the beginning.
fn case_3_from_the_submission() {
    explore(|| {
        World::new(Fault::None, 1, 0).run([
            |w| w.submit(0),
            |w| {
                if w.take_p() {
                    w.search(false);
                    w.give_up(false);
                }
            },
            |w| w.submit(1),
        ]);
    });
}

/// T-32: the last spinner has found other work and sees no idle P; an M that did
/// not spin drops its P, and the task of a third one waits in its ring.
fn unsearched_drop(fault: Fault) {
    explore(move || {
        World::new(fault, 0, 1).run([
            |w| w.submit(0),
            |w| {
                w.idle.leave_spinning();
                w.wake_p();
            },
            |w| w.give_up(false),
        ]);
    });
}

fn t31_last_spinner() {
    last_spinner(Fault::None);
}

fn r_spin_7_two_tasks() {
    two_tasks(Fault::None);
}

fn case_3_failed_claim() {
    failed_claim(Fault::None);
}

fn t32_unsearched_drop() {
    unsearched_drop(Fault::None);
}

mod tests {
    use super::{Fault, failed_claim, last_spinner, two_tasks, unsearched_drop};

    crate::models::models! {
        "no_lost_wakeup":
            t31_last_spinner, r_spin_7_two_tasks, case_3_failed_claim, case_3_from_the_submission,
            t32_unsearched_drop
    }

    #[test]
    #[should_panic(expected = "nobody is awake")]
    fn t31_catches_a_look_before_the_count_is_lowered() {
        last_spinner(Fault::LookBeforeLowering);
    }

    #[test]
    #[should_panic(expected = "nobody is awake")]
    fn r_spin_7_catches_an_uncounted_search() {
        two_tasks(Fault::SearchUncounted);
    }

    #[test]
    #[should_panic(expected = "nobody is awake")]
    fn r_spin_4_catches_a_dropped_baton() {
        two_tasks(Fault::BatonDropped);
    }

    #[test]
    #[should_panic(expected = "nobody is awake")]
    fn case_3_catches_a_claim_lowered_after_the_unlock() {
        failed_claim(Fault::UndoAfterUnlock);
    }

    /// The stall of R-SPIN-11.
    #[test]
    #[should_panic(expected = "nobody is awake")]
    fn t32_catches_a_dropper_that_does_not_look_again() {
        unsearched_drop(Fault::NoSecondLook);
    }
}
