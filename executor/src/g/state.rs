//! The state word of a G and its transitions (R-G-1…4, R-G-7…9, R-SUSPEND-2).
//!
//! ```text
//!            1 spawn            2 execute             3 Pending
//!   (new) ───────────▶ Runnable ─────────▶ Running ────────────▶ Waiting
//!                        ▲  ▲                │ │                    │
//!                        │  └────────────────┘ │ 5 Ready,           │
//!                        │   4 yield, preempt, │   panic, cancel    │
//!                        │     NOTIFIED        ▼                    │
//!                        │                   Dead                   │
//!                        └──────────────────────────────────────────┘
//!                                   6 wake, abort
//! ```
//!
//! Status numbers are Go's; its Gsyscall is missing, because a poll stays alive in
//! a blocking section: that is the M's state (syscall.rs). The flags beside the status:
//!
//! * `NOTIFIED`: a wake came while the task was running or suspended; the end of
//!   the poll (or of the suspension) makes it runnable again.
//! * `CANCELLED`: abort was asked; whoever runs it next drops the future.
//! * `SCAN`: a suspender owns the task; it must not start to run (R-G-4). A
//!   wake then only leaves `NOTIFIED`; an M that pops it leaves `DEFER`.
//! * `PREEMPT_STOP`: at its next safe-point a running task parks as Preempted.
//! * `JOIN_INTEREST`, `JOIN_WAKER`: see `join.rs`.
//!
//! The highest byte is fixed at spawn: the process that the task belongs to.
//!
//! Every wake writes, even when there is nothing to do: the poll that follows
//! must see what the waker did before, and only a read-modify-write of the same
//! word carries that.

use gmp_reactor::Origin;

use crate::jitter;
use crate::mutant::{self, Mutant};
use crate::sync::{AtomicU32, Ordering};

pub(crate) const RUNNABLE: u32 = 1;
pub(crate) const RUNNING: u32 = 2;
pub(crate) const WAITING: u32 = 4;
pub(crate) const DEAD: u32 = 6;
pub(crate) const PREEMPTED: u32 = 9;
const STATUS: u32 = 0xf;
const SCAN: u32 = 0x1000;
const NOTIFIED: u32 = 0x2000;
const CANCELLED: u32 = 0x4000;
const DEFER: u32 = 0x8000;
const JOIN_INTEREST: u32 = 0x1_0000;
const JOIN_WAKER: u32 = 0x2_0000;
const PREEMPT_STOP: u32 = 0x4_0000;
/// Which process the task belongs to (fork.rs), from this bit on.
const ORIGIN: u32 = 24;

/// The word. No bit of it leaves this file.
pub(crate) struct State(AtomicU32);

/// One reading of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u32);

/// What a wake has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum OnWake {
    /// The caller won edge 6 and must enqueue the task.
    Enqueue,
    /// The task is on a queue, runs, or is suspended; it will see the wake.
    Noted,
    /// The task has ended.
    Done,
}

/// Whether a popped task may be polled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum BeginPoll {
    /// Edge 2 was taken: poll it.
    Poll,
    /// Edge 2 was taken: drop its future, edge 5.
    Cancel,
    /// A suspender owns it; it will queue the task again.
    Deferred,
}

/// What follows a poll that returned Pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum EndPoll {
    /// Edge 3: it waits; somebody holds the right to wake it.
    Parked,
    /// Edge 4: a wake came meanwhile; the caller enqueues it.
    Requeue,
    /// Still running: an abort came meanwhile; drop the future, edge 5.
    Cancel,
    /// Parked as Preempted for a suspender, which owes it a ready.
    Stopped,
}

impl State {
    /// A task that is about to be queued for the first time, with a handle.
    pub(crate) fn new() -> State {
        let origin = u32::from(Origin::here().low_bits()) << ORIGIN;
        State(AtomicU32::new(RUNNABLE | JOIN_INTEREST | origin))
    }

    pub(crate) fn load(&self) -> Snapshot {
        // ord: sees what led to the status; pairs with every transition
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Applies `next` until it sticks; `Err` leaves the word alone.
    fn update<R>(&self, mut next: impl FnMut(u32) -> (u32, R)) -> (u32, R) {
        let mut word = self.0.load(Ordering::Relaxed); // ord: the exchange validates it
        loop {
            let (new, result) = next(word);
            jitter::point();
            // ord: publishes the caller's work on the task to the next owner and
            // sees the former one's; pairs with itself; model task_state
            match self
                .0
                .compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return (word, result),
                Err(now) => word = now,
            }
        }
    }

    /// The common case of an update, in one try.
    #[inline]
    fn turns(&self, word: u32, new: u32) -> bool {
        jitter::point();
        // ord: as update; model task_state
        self.0
            .compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Edge 6 (R-G-8, R-G-9).
    #[inline]
    pub(crate) fn wake(&self) -> OnWake {
        let word = self.0.load(Ordering::Relaxed); // ord: the exchange validates it
        if word & (STATUS | SCAN) == WAITING {
            let woken = (word & !(STATUS | NOTIFIED)) | RUNNABLE;
            if self.turns(word, woken) {
                return OnWake::Enqueue;
            }
        }
        self.wake_other()
    }

    /// A wake of one that does not plainly wait.
    #[inline(never)]
    fn wake_other(&self) -> OnWake {
        let now = self.load();
        if now.is_dead() {
            return OnWake::Done;
        }
        if mutant::is(Mutant::WakeWithoutWrite) && now.will_be_polled() {
            return OnWake::Noted;
        }
        self.update(|word| match word & STATUS {
            WAITING if word & SCAN == 0 => {
                ((word & !(STATUS | NOTIFIED)) | RUNNABLE, OnWake::Enqueue)
            }
            // Runnable: the poll that comes sees this write. Nothing to note,
            // but the write itself orders us before that poll.
            RUNNABLE => (word, OnWake::Noted),
            DEAD => (word, OnWake::Done),
            _ => (word | NOTIFIED, OnWake::Noted),
        })
        .1
    }

    /// Edge 2. The future belongs to the caller until edge 3, 4 or 5.
    #[inline]
    pub(crate) fn begin_poll(&self) -> BeginPoll {
        let word = self.0.load(Ordering::Relaxed); // ord: the exchange validates it
        let running = (word & !(STATUS | NOTIFIED)) | RUNNING;
        if word & (STATUS | SCAN | CANCELLED) == RUNNABLE && self.turns(word, running) {
            return BeginPoll::Poll;
        }
        self.begin_other()
    }

    #[inline(never)]
    fn begin_other(&self) -> BeginPoll {
        self.update(|word| {
            debug_assert_eq!(
                word & STATUS,
                RUNNABLE,
                "gmp: execute of a task in state {word:#x}"
            );
            if word & SCAN != 0 && !mutant::is(Mutant::PollIgnoresScan) {
                return (word | DEFER, BeginPoll::Deferred);
            }
            let running = (word & !(STATUS | NOTIFIED)) | RUNNING;
            let what = if word & CANCELLED != 0 {
                BeginPoll::Cancel
            } else {
                BeginPoll::Poll
            };
            (running, what)
        })
        .1
    }

    /// Edge 3, or 4 if a wake came during the poll.
    #[inline]
    pub(crate) fn end_poll(&self) -> EndPoll {
        let word = self.0.load(Ordering::Relaxed); // ord: the exchange validates it
        if word & (STATUS | NOTIFIED | CANCELLED | PREEMPT_STOP) == RUNNING
            && !mutant::is(Mutant::PollEndByLoadAndStore)
            && self.turns(word, (word & !STATUS) | WAITING)
        {
            return EndPoll::Parked;
        }
        self.end_other()
    }

    #[inline(never)]
    fn end_other(&self) -> EndPoll {
        if mutant::is(Mutant::PollEndByLoadAndStore) && !self.load().must_go_on() {
            self.0
                .store((self.load().0 & !STATUS) | WAITING, Ordering::Release); // ord: a mutant
            return EndPoll::Parked;
        }
        self.update(|word| {
            debug_assert_eq!(
                word & STATUS,
                RUNNING,
                "gmp: end of a poll in state {word:#x}"
            );
            if word & CANCELLED != 0 {
                (word, EndPoll::Cancel)
            } else if word & PREEMPT_STOP != 0 {
                // NOTIFIED stays: resume readies the task in any case.
                (
                    (word & !(STATUS | PREEMPT_STOP)) | PREEMPTED,
                    EndPoll::Stopped,
                )
            } else if word & NOTIFIED != 0 && !mutant::is(Mutant::PollEndForgetsWake) {
                ((word & !(STATUS | NOTIFIED)) | RUNNABLE, EndPoll::Requeue)
            } else {
                ((word & !STATUS) | WAITING, EndPoll::Parked)
            }
        })
        .1
    }

    /// Edge 4 by the task's own wish (yield, self-wake, preemption).
    pub(crate) fn yield_running(&self) -> EndPoll {
        self.update(|word| {
            debug_assert_eq!(word & STATUS, RUNNING, "gmp: yield in state {word:#x}");
            if word & CANCELLED != 0 {
                (word, EndPoll::Cancel)
            } else if word & PREEMPT_STOP != 0 {
                (
                    (word & !(STATUS | PREEMPT_STOP)) | PREEMPTED,
                    EndPoll::Stopped,
                )
            } else {
                ((word & !(STATUS | NOTIFIED)) | RUNNABLE, EndPoll::Requeue)
            }
        })
        .1
    }

    /// Edge 5, after the output is stored and the future is gone.
    pub(crate) fn complete(&self) -> Snapshot {
        let (_, now) = self.update(|word| {
            let dead = (word & !(STATUS | NOTIFIED | PREEMPT_STOP)) | DEAD;
            (dead, dead)
        });
        Snapshot(now)
    }

    /// Marks the task cancelled; edge 6 if it waits.
    pub(crate) fn abort(&self) -> OnWake {
        self.update(|word| match word & STATUS {
            WAITING if word & SCAN == 0 => (
                (word & !(STATUS | NOTIFIED)) | RUNNABLE | CANCELLED,
                OnWake::Enqueue,
            ),
            DEAD => (word, OnWake::Done),
            RUNNABLE => (word | CANCELLED, OnWake::Noted),
            _ => (word | CANCELLED | NOTIFIED, OnWake::Noted),
        })
        .1
    }

    /// The handle has stored its waker. False: the task ended first, and the
    /// waker slot belongs to the handle again.
    #[must_use]
    pub(crate) fn publish_join_waker(&self) -> bool {
        self.update(|word| {
            if word & STATUS == DEAD {
                (word, false)
            } else {
                (word | JOIN_WAKER, true)
            }
        })
        .1
    }

    /// The handle wants to change its waker. False: the task ended first.
    #[must_use]
    pub(crate) fn retract_join_waker(&self) -> bool {
        self.update(|word| {
            if word & STATUS == DEAD {
                (word, false)
            } else {
                (word & !JOIN_WAKER, true)
            }
        })
        .1
    }

    /// The handle goes away. Returns the word before: if the task is dead the
    /// handle drops the output; the waker slot is the handle's if no waker was
    /// published or the task has not ended (it is retracted here).
    pub(crate) fn drop_join_interest(&self) -> Snapshot {
        let (before, ()) = self.update(|word| {
            if word & STATUS == DEAD {
                (word & !JOIN_INTEREST, ())
            } else {
                (word & !(JOIN_INTEREST | JOIN_WAKER), ())
            }
        });
        Snapshot(before)
    }

    /// Suspender: one step of R-SUSPEND-2.
    pub(crate) fn try_suspend(&self) -> OnSuspend {
        self.update(|word| {
            if word & SCAN != 0 {
                return (word, OnSuspend::Busy);
            }
            match word & STATUS {
                DEAD => (word, OnSuspend::Dead),
                PREEMPTED => (
                    (word & !STATUS) | WAITING | SCAN,
                    OnSuspend::Held { stopped: true },
                ),
                WAITING | RUNNABLE => (word | SCAN, OnSuspend::Held { stopped: false }),
                _ => (word | PREEMPT_STOP, OnSuspend::Running),
            }
        })
        .1
    }

    /// Suspender: gives up on a running task.
    pub(crate) fn withdraw_stop(&self) -> OnWake {
        self.update(|word| match word & STATUS {
            // It stopped in the last moment: it must go on.
            PREEMPTED if !mutant::is(Mutant::WithdrawOnlyClears) => {
                ((word & !(STATUS | NOTIFIED)) | RUNNABLE, OnWake::Enqueue)
            }
            _ => (word & !PREEMPT_STOP, OnWake::Noted),
        })
        .1
    }

    /// Suspender: lets go (R-SUSPEND-3). Enqueue: the caller readies the task.
    pub(crate) fn resume(&self, stopped: bool) -> OnWake {
        self.update(|word| {
            let clear = word & !(SCAN | DEFER);
            match word & STATUS {
                WAITING if mutant::is(Mutant::ResumeForgetsWake) => (clear, OnWake::Noted),
                WAITING if stopped || word & (NOTIFIED | CANCELLED) != 0 => {
                    ((clear & !(STATUS | NOTIFIED)) | RUNNABLE, OnWake::Enqueue)
                }
                RUNNABLE if word & DEFER != 0 => (clear, OnWake::Enqueue),
                _ => (clear, OnWake::Noted),
            }
        })
        .1
    }
}

/// What a suspender found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum OnSuspend {
    /// Ended; nothing to resume.
    Dead,
    /// The task is the caller's until `resume`.
    Held { stopped: bool },
    /// Another suspender has it.
    Busy,
    /// Running: it was asked to stop at its next safe-point.
    Running,
}

impl Snapshot {
    pub(crate) fn status(self) -> u32 {
        self.0 & STATUS
    }
    pub(crate) fn is_dead(self) -> bool {
        self.0 & STATUS == DEAD
    }
    pub(crate) fn is_scanned(self) -> bool {
        self.0 & SCAN != 0
    }
    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }
    pub(crate) fn has_join_interest(self) -> bool {
        self.0 & JOIN_INTEREST != 0
    }
    pub(crate) fn has_join_waker(self) -> bool {
        self.0 & JOIN_WAKER != 0
    }
    /// Whether this process is a child of fork, and the task its parent's.
    pub(crate) fn is_elsewhere(self) -> bool {
        self.0 >> ORIGIN != u32::from(Origin::here().low_bits())
    }
    fn will_be_polled(self) -> bool {
        self.status() == RUNNABLE || self.0 & NOTIFIED != 0
    }
    fn must_go_on(self) -> bool {
        self.0 & (CANCELLED | PREEMPT_STOP | NOTIFIED) != 0
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = match self.status() {
            0 => "idle",
            RUNNABLE => "runnable",
            RUNNING => "running",
            WAITING => "waiting",
            DEAD => "dead",
            PREEMPTED => "preempted",
            _ => "???",
        };
        f.write_str(status)?;
        let flags = [
            (SCAN, "scan"),
            (NOTIFIED, "notified"),
            (CANCELLED, "cancelled"),
            (DEFER, "deferred"),
            (PREEMPT_STOP, "stop"),
        ];
        for (bit, name) in flags {
            if self.0 & bit != 0 {
                write!(f, " ({name})")?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.load().fmt(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{BeginPoll, EndPoll, OnSuspend, OnWake, State};

    /// Rule R-G-8, T-38: of many wakes of one waiting task exactly one enqueues.
    #[test]
    fn t38_a_thousand_wakes_enqueue_once() {
        let state = State::new();
        assert_eq!(state.begin_poll(), BeginPoll::Poll);
        assert_eq!(state.end_poll(), EndPoll::Parked);
        let enqueued = (0..1000)
            .filter(|_| state.wake() == OnWake::Enqueue)
            .count();
        assert_eq!(enqueued, 1);
    }

    /// Rule R-G-9: a wake during the poll leads to one more poll, not two.
    #[test]
    fn a_wake_during_the_poll_requeues_once() {
        let state = State::new();
        assert_eq!(state.begin_poll(), BeginPoll::Poll);
        assert_eq!(state.wake(), OnWake::Noted);
        assert_eq!(state.wake(), OnWake::Noted);
        assert_eq!(state.end_poll(), EndPoll::Requeue);
        assert_eq!(state.begin_poll(), BeginPoll::Poll);
        assert_eq!(state.end_poll(), EndPoll::Parked);
    }

    #[test]
    fn an_abort_is_seen_in_every_state() {
        let runnable = State::new();
        assert_eq!(runnable.abort(), OnWake::Noted);
        assert_eq!(runnable.begin_poll(), BeginPoll::Cancel);

        let running = State::new();
        assert_eq!(running.begin_poll(), BeginPoll::Poll);
        assert_eq!(running.abort(), OnWake::Noted);
        assert_eq!(running.end_poll(), EndPoll::Cancel);
        assert!(running.complete().is_dead());
        assert_eq!(running.abort(), OnWake::Done);

        let waiting = State::new();
        assert_eq!(waiting.begin_poll(), BeginPoll::Poll);
        assert_eq!(waiting.end_poll(), EndPoll::Parked);
        assert_eq!(waiting.abort(), OnWake::Enqueue);
        assert_eq!(waiting.begin_poll(), BeginPoll::Cancel);
    }

    /// Rule R-SUSPEND-2 and 3: a wake during a suspension is kept.
    #[test]
    fn a_suspended_task_keeps_its_wake() {
        let state = State::new();
        assert_eq!(state.begin_poll(), BeginPoll::Poll);
        assert_eq!(state.try_suspend(), OnSuspend::Running);
        assert_eq!(state.end_poll(), EndPoll::Stopped);
        assert_eq!(state.wake(), OnWake::Noted);
        assert_eq!(state.try_suspend(), OnSuspend::Held { stopped: true });
        assert_eq!(state.try_suspend(), OnSuspend::Busy);
        assert_eq!(state.wake(), OnWake::Noted);
        assert_eq!(state.resume(true), OnWake::Enqueue);
        assert_eq!(state.begin_poll(), BeginPoll::Poll);
        assert_eq!(state.end_poll(), EndPoll::Parked);
        assert_eq!(state.try_suspend(), OnSuspend::Held { stopped: false });
        assert_eq!(state.resume(false), OnWake::Noted);
        assert_eq!(state.wake(), OnWake::Enqueue);
    }

    /// A popped task that is suspended is queued again by its suspender.
    #[test]
    fn a_suspended_runnable_task_is_deferred() {
        let state = State::new();
        assert_eq!(state.try_suspend(), OnSuspend::Held { stopped: false });
        assert_eq!(state.begin_poll(), BeginPoll::Deferred);
        assert_eq!(state.resume(false), OnWake::Enqueue);
        assert_eq!(state.begin_poll(), BeginPoll::Poll);
    }
}
