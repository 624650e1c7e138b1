//! A snapshot of two tasks, one of which wakes the other and waits: what the walker
//! and the M record together is one cut, and of one wait each.
//!
//! The M polls `giver` at the epoch, without a P: nothing has stopped it. What
//! `execute.rs`, `waker.rs`, `probe/hooks.rs` and `snapshot.rs` do is told again here,
//! in their order, over the product's words.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use super::explore;
use crate::fence::{heavy_fence, light_fence};
use crate::g::prof::{Epoch, Prof};
use crate::g::state::{OnWake, RUNNING, State, WAITING};

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A wake leaves its tag after the change.
    LateTag,
    /// A park overwrites its record before it has asked.
    LateClaim,
    /// The epoch is published before the runtime's word.
    LateWord,
}

/// A task, with the two halves of its park record.
struct Task {
    state: State,
    prof: Prof,
    park: [AtomicU32; 2],
}

impl Task {
    fn new(wait: u32) -> Task {
        let state = State::new();
        let _polled = state.begin_poll();
        Task {
            state,
            prof: Prof::new(),
            park: [AtomicU32::new(wait), AtomicU32::new(wait)],
        }
    }

    /// Status, and the halves of the record.
    fn copy(&self, status: u32) -> Seen {
        let read = |half: &AtomicU32| half.load(Ordering::Relaxed);
        (status, read(&self.park[0]), read(&self.park[1]))
    }

    fn write(&self, wait: u32) {
        self.park
            .iter()
            .for_each(|half| half.store(wait, Ordering::Relaxed));
    }
}

type Seen = (u32, u32, u32);

struct World {
    giver: Task,
    taker: Task,
    /// The runtime's word.
    word: AtomicU32,
    flags: AtomicU32,
    /// Whether the wake came after its thread had seen the epoch. Not loom's.
    woke_late: AtomicBool,
    /// What the M has recorded. Not loom's: the buffer's lock orders nothing that
    /// the words do not.
    records: Mutex<Vec<(bool, Seen)>>,
    fault: Fault,
}

impl World {
    /// Of two tasks one is polled and the other waits, for the first time.
    fn new(fault: Fault) -> Arc<World> {
        let world = World {
            giver: Task::new(0),
            taker: Task::new(1),
            word: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            woke_late: AtomicBool::new(false),
            records: Mutex::default(),
            fault,
        };
        let _parked = world.taker.state.end_poll();
        Arc::new(world)
    }

    fn epoch(&self) -> Option<Epoch> {
        Epoch::of(self.flags.load(Ordering::Acquire))
    }

    /// As whoever has the runtime at hand learns of it.
    fn epoch_here(&self) -> Option<Epoch> {
        let watched = self.word.load(Ordering::Acquire) != 0;
        watched.then(|| self.epoch()).flatten()
    }

    fn tag(task: &Task, epoch: Option<Epoch>) {
        if let Some(epoch) = epoch {
            task.prof.tag(epoch, &task.state);
        }
    }

    fn before_change(&self, task: &Task) {
        World::tag(task, self.epoch());
    }

    fn wake(&self, task: &Task) {
        let late = self.fault == Fault::LateTag;
        self.woke_late
            .store(self.epoch().is_some(), Ordering::Relaxed);
        if !late {
            self.before_change(task);
        }
        assert_eq!(task.state.wake(), OnWake::Enqueue);
        if late {
            self.before_change(task);
        }
    }

    fn park(&self, task: &Task, wait: u32) {
        light_fence(); // as at the end of each poll
        let late = self.fault == Fault::LateClaim;
        if late {
            task.write(wait);
        }
        if let Some(epoch) = self.epoch_here()
            && let Some(status) = task.prof.before_park(epoch, &task.state)
        {
            let own = std::ptr::eq(task, &self.giver);
            self.records
                .lock()
                .expect("no panic")
                .push((own, task.copy(status)));
        }
        if !late {
            task.write(wait);
        }
        let _parked = task.state.end_poll();
    }

    /// The M: the giver wakes the taker and waits; the taker is polled and waits anew.
    fn run(&self, polls_taker: bool) {
        self.wake(&self.taker);
        self.park(&self.giver, 2);
        if polls_taker {
            World::tag(&self.taker, self.epoch_here());
            let _poll = self.taker.state.begin_poll();
            self.park(&self.taker, 3);
        }
    }

    /// The walker.
    fn walk(&self, giver_first: bool) -> [Option<Seen>; 2] {
        let epoch = Epoch::of(1 << 6).expect("not 0");
        let late = self.fault == Fault::LateWord;
        if !late {
            self.word.store(1, Ordering::Release);
        }
        self.flags.store(epoch.bits(), Ordering::Release);
        if late {
            self.word.store(1, Ordering::Release);
        }
        heavy_fence();
        let look = |task: &Task| {
            task.prof
                .look(epoch, &task.state, |status| task.copy(status))
        };
        if giver_first {
            let giver = look(&self.giver);
            [giver, look(&self.taker)]
        } else {
            let taker = look(&self.taker);
            [look(&self.giver), taker]
        }
    }
}

fn snapshot_of_a_wake(fault: Fault, giver_first: bool, polls_taker: bool) {
    explore(move || {
        let world = World::new(fault);
        let walker = thread::spawn({
            let world = world.clone();
            move || world.walk(giver_first)
        });
        world.run(polls_taker);
        let [giver, taker] = walker.join().expect("the walker ends");
        let records = world.records.lock().expect("no panic");
        let one = |seen: Option<Seen>, own: bool| {
            let mut all = seen.into_iter().collect::<Vec<_>>();
            all.extend(
                records
                    .iter()
                    .filter(|(of, _)| *of == own)
                    .map(|(_, seen)| *seen),
            );
            assert_eq!(all.len(), 1, "a task is recorded once: {all:?}");
            all[0]
        };
        let (giver, taker) = (one(giver, true), one(taker, false));
        assert!(
            giver.0 != WAITING || taker.0 != WAITING || taker.1 == 3,
            "the wake is seen without its effect: {giver:?} {taker:?}"
        );
        if world.woke_late.load(Ordering::Relaxed) {
            assert_eq!(taker.0, WAITING, "the effect is seen without its cause");
        }
        for (status, first, second) in [giver, taker] {
            if status == WAITING {
                assert_eq!(first, second, "a record is torn");
            }
        }
        if taker.0 == WAITING && giver.0 == RUNNING {
            assert_eq!(
                taker.1, 1,
                "the taker waits as it will only after the epoch"
            );
        }
    });
}

fn one_cut() {
    for giver_first in [true, false] {
        snapshot_of_a_wake(Fault::None, giver_first, false);
    }
}

fn one_record_of_one_wait() {
    for giver_first in [true, false] {
        snapshot_of_a_wake(Fault::None, giver_first, true);
    }
}

mod tests {
    use super::{Fault, snapshot_of_a_wake};
    use crate::mutant::Mutant;

    crate::models::models! {
        "snapshot": one_cut, one_record_of_one_wait;
        catches_a_change_without_a_tag: Mutant::StatusUntagged, one_cut, "without its cause";
        catches_a_park_that_nobody_records: Mutant::ParkUnrecorded, one_record_of_one_wait, "";
        catches_a_copy_that_was_overtaken: Mutant::CopyUnclaimed, one_record_of_one_wait, ""
    }

    #[test]
    #[should_panic(expected = "")]
    fn catches_a_tag_after_the_change() {
        snapshot_of_a_wake(Fault::LateTag, true, true);
    }

    #[test]
    #[should_panic(expected = "the wake is seen without its effect")]
    fn catches_a_word_that_comes_after_the_epoch() {
        snapshot_of_a_wake(Fault::LateWord, true, false);
    }

    #[test]
    #[should_panic(expected = "")]
    fn catches_a_record_that_is_overwritten_first() {
        snapshot_of_a_wake(Fault::LateClaim, true, true);
    }
}
