//! A task as the models see it: the product's [`State`] and [`Refs`] around loom
//! cells for its memory, its future and its join waker. What `execute.rs`, `cell.rs`,
//! `waker.rs` and `join.rs` do with them is told again here, in their order.

#![expect(unsafe_code, reason = "opens loom's cells")]

use std::sync::Arc;
use std::sync::atomic::AtomicU32 as Count;

use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::g::refs::{Refs, Released};
use crate::g::state::{BeginPoll, EndPoll, OnSuspend, OnWake, Snapshot, State};

/// What goes wrong on the handle's side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinFault {
    None,
    /// The waker slot is read before the published waker is retracted.
    SlotBeforeRetract,
    /// The waker is published before it is stored.
    PublishBeforeStore,
    /// A handle that goes away takes a waker out that the completing M may have.
    DropTakesPublished,
}

/// The place of the future.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Future,
    Output,
    Gone,
}

/// Events that wakers bring, and how many the future needs to be ready.
const EVENTS: usize = 2;
/// A future that no event makes ready.
pub(super) const NEVER: usize = EVENTS + 1;

pub(super) struct Task {
    state: State,
    refs: Refs,
    /// Whether it is allocated.
    memory: UnsafeCell<bool>,
    stage: UnsafeCell<Stage>,
    join_waker: UnsafeCell<Option<u32>>,
    /// One queue of one place; a second entry is a fault.
    queue: Mutex<bool>,
    events: [AtomicBool; EVENTS],
    needs: usize,
    join_fault: JoinFault,
    counts: Counts,
}

/// Not loom's: they count and order nothing.
#[derive(Default)]
struct Counts {
    polls: Count,
    wakes: Count,
    futures_dropped: Count,
    outputs_taken: Count,
    /// The join waker that was woken last.
    join_woken: Count,
}

// SAFETY: loom fails the model if two threads open a cell at the same time.
unsafe impl Sync for Task {}

fn bump(count: &Count) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn get(count: &Count) -> u32 {
    count.load(Ordering::Relaxed)
}

/// Opens a cell that nobody else may have open.
fn open<T, R>(cell: &UnsafeCell<T>, f: impl FnOnce(&mut T) -> R) -> R {
    // SAFETY: loom checks it.
    cell.with_mut(|inside| f(unsafe { &mut *inside }))
}

impl Task {
    /// A queued task with a handle and `wakers` wakers.
    pub(super) fn new(needs: usize, wakers: usize, join_fault: JoinFault) -> Arc<Task> {
        let task = Task {
            state: State::new(),
            refs: Refs::new(),
            memory: UnsafeCell::new(true),
            stage: UnsafeCell::new(Stage::Future),
            join_waker: UnsafeCell::new(None),
            queue: Mutex::new(true),
            events: std::array::from_fn(|_| AtomicBool::new(false)),
            needs,
            join_fault,
            counts: Counts::default(),
        };
        (0..wakers).for_each(|_| task.refs.add_waker());
        Arc::new(task)
    }

    /// Runs each actor on a thread and the M on this one; then, with nobody else
    /// about, what is still queued.
    pub(super) fn run<const N: usize>(self: &Arc<Task>, actors: [fn(&Task); N]) {
        let threads = actors.map(|actor| {
            let task = self.clone();
            thread::spawn(move || actor(&task))
        });
        self.schedule();
        for thread in threads {
            thread.join().expect("the actor ends");
        }
        self.schedule();
    }

    /// Somebody who has a reference, or the task itself, uses the memory.
    fn touch(&self) {
        // SAFETY: loom checks that nobody frees it meanwhile.
        let allocated = self.memory.with(|memory| unsafe { *memory });
        assert!(allocated, "a freed task was used");
    }

    fn released(&self, released: Released) {
        if released == Released::Free {
            let allocated = open(&self.memory, |memory| std::mem::replace(memory, false));
            assert!(allocated, "a task was freed twice");
        }
    }

    // The M.

    fn enqueue(&self) {
        let mut queue = self.queue.lock().expect("no poison");
        assert!(!*queue, "the task is queued twice");
        *queue = true;
    }

    fn pop(&self) -> bool {
        std::mem::take(&mut *self.queue.lock().expect("no poison"))
    }

    fn schedule(&self) {
        while self.pop() {
            self.execute();
        }
    }

    fn execute(&self) {
        self.touch();
        let done = match self.state.begin_poll() {
            BeginPoll::Deferred => return,
            BeginPoll::Cancel => {
                self.drop_future();
                true
            }
            BeginPoll::Poll => self.poll(),
        };
        if done {
            return self.finish();
        }
        match self.state.end_poll() {
            EndPoll::Parked | EndPoll::Stopped => {}
            EndPoll::Requeue => self.enqueue(),
            EndPoll::Cancel => {
                self.drop_future();
                self.finish();
            }
        }
    }

    fn poll(&self) -> bool {
        bump(&self.counts.polls);
        open(&self.stage, |stage| assert_eq!(*stage, Stage::Future));
        // ord: the state word alone must order the events
        let seen = self
            .events
            .iter()
            .filter(|event| event.load(Ordering::Relaxed))
            .count();
        let ready = seen >= self.needs;
        if ready {
            self.drop_future();
        }
        ready
    }

    /// Puts the output in the future's place.
    fn drop_future(&self) {
        bump(&self.counts.futures_dropped);
        let was = open(&self.stage, |stage| std::mem::replace(stage, Stage::Output));
        assert_eq!(was, Stage::Future, "the future was dropped twice");
    }

    fn take_output(&self) {
        bump(&self.counts.outputs_taken);
        let was = open(&self.stage, |stage| std::mem::replace(stage, Stage::Gone));
        assert_eq!(was, Stage::Output, "the output was taken twice");
    }

    fn finish(&self) {
        let snapshot = self.state.complete();
        if !snapshot.has_join_interest() {
            self.take_output();
        } else if snapshot.has_join_waker()
            && let Some(waker) = open(&self.join_waker, Option::take)
        {
            self.counts.join_woken.store(waker, Ordering::Relaxed);
        }
        self.released(self.refs.drop_alive());
    }

    // Wakers.

    /// The waker of `event` wakes the task and goes.
    pub(super) fn wake(&self, event: usize) {
        self.touch();
        // ord: as in poll
        self.events[event].store(true, Ordering::Relaxed);
        bump(&self.counts.wakes);
        if self.state.wake() == OnWake::Enqueue {
            self.enqueue();
        }
        self.drop_waker();
    }

    pub(super) fn drop_waker(&self) {
        self.touch();
        self.released(self.refs.drop_waker());
    }

    // The handle.

    pub(super) fn abort(&self) {
        self.touch();
        bump(&self.counts.wakes);
        if self.state.abort() == OnWake::Enqueue {
            self.enqueue();
        }
    }

    /// Whether it gave the output.
    pub(super) fn join(&self, waker: u32) -> bool {
        self.touch();
        let snapshot = self.state.load();
        if !snapshot.is_dead() && self.register(snapshot, waker) {
            return false;
        }
        self.take_output();
        true
    }

    fn register(&self, snapshot: Snapshot, waker: u32) -> bool {
        if self.join_fault == JoinFault::SlotBeforeRetract
            && open(&self.join_waker, |slot| *slot) == Some(waker)
        {
            return true;
        }
        if snapshot.has_join_waker() && !self.state.retract_join_waker() {
            return false;
        }
        if self.join_fault == JoinFault::PublishBeforeStore {
            let published = self.state.publish_join_waker();
            open(&self.join_waker, |slot| *slot = Some(waker));
            return published;
        }
        open(&self.join_waker, |slot| *slot = Some(waker));
        self.state.publish_join_waker()
    }

    /// `taken`: the handle had the output already.
    pub(super) fn drop_handle(&self, taken: bool) {
        self.touch();
        let before = self.state.drop_join_interest();
        let ours = !before.is_dead() || !before.has_join_waker();
        if ours || self.join_fault == JoinFault::DropTakesPublished {
            open(&self.join_waker, Option::take);
        }
        if before.is_dead() && !taken {
            self.take_output();
        }
        self.released(self.refs.drop_handle());
    }

    // A suspender.

    /// Stops the task and lets it go, or gives up after `tries`.
    pub(super) fn suspend(&self, tries: usize) {
        for _ in 0..tries {
            match self.state.try_suspend() {
                OnSuspend::Dead => return,
                OnSuspend::Held { stopped } => {
                    // Nobody polls it meanwhile.
                    open(&self.stage, |stage| assert_ne!(*stage, Stage::Gone));
                    return self.let_go(self.state.resume(stopped));
                }
                OnSuspend::Running | OnSuspend::Busy => thread::yield_now(),
            }
        }
        self.let_go(self.state.withdraw_stop());
    }

    /// A task that stopped is polled once more than it was woken for.
    fn let_go(&self, on_wake: OnWake) {
        if on_wake == OnWake::Enqueue {
            bump(&self.counts.wakes);
            self.enqueue();
        }
    }

    // With nobody else about.

    /// It ended, once, in no more polls than it was woken for.
    pub(super) fn check_ended(&self) {
        assert!(
            self.state.load().is_dead(),
            "a wake was lost: {:?}",
            self.state
        );
        assert_eq!(get(&self.counts.futures_dropped), 1);
        assert!(
            get(&self.counts.polls) <= get(&self.counts.wakes) + 1,
            "too many polls"
        );
    }

    /// It ended, and nothing of it is left.
    pub(super) fn check_freed(&self) {
        self.check_ended();
        assert_eq!(get(&self.counts.outputs_taken), 1, "outputs taken");
        assert!(!open(&self.memory, |memory| *memory), "the task leaks");
        assert_eq!(
            open(&self.join_waker, |slot| *slot),
            None,
            "a join waker leaks"
        );
    }

    /// It waits, with its future, for a wake that never came.
    pub(super) fn check_waits(&self) {
        assert_eq!(
            self.state.load().status(),
            crate::g::state::WAITING,
            "{:?}",
            self.state
        );
        assert_eq!(get(&self.counts.futures_dropped), 0);
    }

    pub(super) fn join_woken(&self) -> u32 {
        get(&self.counts.join_woken)
    }
}
