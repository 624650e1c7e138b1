//! Whose turn it is: Go's mutex (rule R-G-14), without what it guards.
//!
//! In normal mode the lock is free for whoever comes: an unlock wakes the first in
//! the queue, and a task that runs may be there sooner. That is fast, since it
//! needs no switch. A woken waiter that finds the lock taken goes back to the
//! *head* of the queue; if it has waited for more than 1 ms by then, it sets
//! starving mode, where each unlock hands the lock to the first waiter and nobody
//! else touches it. A waiter that got it this way ends the mode if it is the last
//! or has waited for less than 1 ms.
//!
//! Invariants, outside the lock:
//! 1. If the lock is free and somebody waits, one waiter is awake (`woken`) and
//!    will look. Whoever goes away while awake wakes the next.
//! 2. In starving mode the lock is held, if only by a waiter that does not know
//!    it yet, and somebody waits or was handed it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker, ready};

use gmp_executor::held::{Guard, Holder, Lot};
use gmp_executor::{WaitReason, leaf};

use crate::sync::waiters::{Key, Waiters, lock, wake};

/// How long a waiter loses before it starves, in nanoseconds (Go's constant).
const STARVING_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Turn {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    locked: bool,
    starving: bool,
    /// A waiter was woken and has not looked yet.
    woken: bool,
    /// Who took it last; for reports of tasks that wait for each other.
    holder: Holder,
    /// Where others look the holder up, since somebody waited for the first time.
    lot: Option<Lot>,
    waiters: Waiters<Note>,
}

#[derive(Debug)]
struct Note {
    since: u64,
    /// The lock is this waiter's.
    handed: bool,
}

impl Turn {
    pub(crate) const fn new() -> Turn {
        Turn {
            state: Mutex::new(State {
                locked: false,
                starving: false,
                woken: false,
                holder: Holder::NOBODY,
                lot: None,
                waiters: Waiters::new(),
            }),
        }
    }

    pub(crate) fn try_lock(&self, location: &'static Location<'static>, guard: Guard) -> bool {
        let mut state = lock(&self.state);
        let free = !state.locked;
        if free {
            state.hold(Holder::here(location, guard, ptr::null()));
        }
        free
    }

    pub(crate) fn lock(&self, location: &'static Location<'static>, guard: Guard) -> Locking<'_> {
        Locking {
            turn: self,
            key: None,
            location,
            guard,
        }
    }

    /// Ends the turn of whoever holds the lock.
    pub(crate) fn unlock(&self) {
        // The lock of the state ends with this statement.
        let waker = lock(&self.state).unlock();
        wake(waker);
    }
}

impl State {
    fn hold(&mut self, holder: Holder) {
        self.locked = true;
        self.holder = holder;
        if let Some(lot) = &self.lot {
            lot.held_by(holder);
        }
    }

    /// The number by which the holder is found while somebody waits.
    fn lot(&mut self) -> u64 {
        let place = ptr::from_ref(self).cast();
        self.lot
            .get_or_insert_with(|| Lot::of_lock(self.holder, place))
            .number()
    }

    #[must_use = "the next one waits"]
    fn unlock(&mut self) -> Option<Waker> {
        self.holder = Holder::NOBODY;
        if let Some(lot) = &self.lot {
            lot.held_by(Holder::NOBODY);
        }
        if self.starving {
            if let Some((note, waker)) = self.waiters.pop() {
                note.handed = true;
                return waker;
            }
            self.starving = false;
        }
        self.locked = false;
        self.wake_next()
    }

    /// Wakes the first waiter, unless one is awake already or has no chance.
    #[must_use = "it waits"]
    fn wake_next(&mut self) -> Option<Waker> {
        if self.locked || self.woken {
            return None;
        }
        let (_, waker) = self.waiters.pop()?;
        self.woken = true;
        waker
    }
}

/// The future of [`Turn::lock`].
#[derive(Debug)]
pub(crate) struct Locking<'a> {
    turn: &'a Turn,
    key: Option<Key>,
    location: &'static Location<'static>,
    guard: Guard,
}

impl Locking<'_> {
    /// Whoever polls this, which is pinned where it is.
    fn holder(&self) -> Holder {
        Holder::here(self.location, self.guard, ptr::from_ref(self).cast())
    }
}

impl Future for Locking<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let mut locked = lock(&this.turn.state);
        let state = &mut *locked;
        let former = match &this.key {
            // In starving mode the lock is never free.
            None if !state.locked => {
                state.hold(this.holder());
                return Poll::Ready(());
            }
            None => {
                let note = Note {
                    since: leaf::now(),
                    handed: false,
                };
                this.key = Some(state.waiters.push(Some(cx.waker()), note));
                None
            }
            Some(key) if state.waiters.is_queued(key) => {
                let former = state.waiters.set_waker(key, cx.waker());
                if former.is_some() {
                    // Another task goes on with this wait: the record of the first one,
                    // which has not run since perhaps, may name this lock no more.
                    state.lot = None;
                }
                former
            }
            Some(key) => {
                let waited = leaf::now().saturating_sub(state.waiters.note(key).since);
                let starved = waited > STARVING_NS;
                if state.waiters.note(key).handed {
                    if !starved || state.waiters.is_empty() {
                        state.starving = false;
                    }
                    state.hold(this.holder());
                } else if state.locked {
                    state.woken = false;
                    state.starving |= starved;
                    state.waiters.requeue_front(key, cx.waker());
                    let lot = state.lot();
                    drop(locked);
                    leaf::park_for(WaitReason::MutexLock, this.location, lot, cx.waker());
                    return Poll::Pending;
                } else {
                    state.woken = false;
                    state.hold(this.holder());
                }
                if let Some(key) = this.key.take() {
                    // Its waker was taken when it left the queue.
                    let _removed = state.waiters.remove(key);
                }
                return Poll::Ready(());
            }
        };
        let lot = state.lot();
        drop(locked);
        drop(former);
        leaf::park_for(WaitReason::MutexLock, this.location, lot, cx.waker());
        Poll::Pending
    }
}

impl Drop for Locking<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut state = lock(&self.turn.state);
        let removed = state.waiters.remove(key);
        if removed.waker.as_ref().is_some_and(Lot::is_stale) {
            state.lot = None;
        }
        let waker = if removed.queued {
            None
        } else if removed.note.handed {
            state.unlock()
        } else {
            state.woken = false;
            state.wake_next()
        };
        drop(state);
        leaf::unpark_at(self.location);
        drop(removed);
        wake(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn try_lock(turn: &Turn) -> bool {
        turn.try_lock(Location::caller(), Guard::Borrowed)
    }

    fn poll(future: &mut Locking<'_>) -> Poll<()> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[track_caller]
    fn waiting(turn: &Turn) -> Locking<'_> {
        let mut waits = turn.lock(Location::caller(), Guard::Borrowed);
        assert!(poll(&mut waits).is_pending());
        waits
    }

    fn make_old(turn: &Turn, waiter: &Locking<'_>) {
        let key = waiter.key.as_ref().expect("it waits");
        lock(&turn.state).waiters.note(key).since = 0;
    }

    /// So that a waiter since moment 0 has waited for long.
    fn let_a_millisecond_pass() {
        while leaf::now() <= 2 * STARVING_NS {
            std::hint::spin_loop();
        }
    }

    /// Rule R-G-14. Source: sync.Mutex: a running task may take a free lock before
    /// the waiter that was woken for it; that waiter keeps its turn.
    #[test]
    fn in_normal_mode_whoever_comes_may_have_the_lock() {
        let turn = Turn::new();
        assert!(try_lock(&turn));
        let (mut first, mut second) = (waiting(&turn), waiting(&turn));
        turn.unlock();
        assert!(try_lock(&turn), "the woken waiter has not looked yet");
        assert!(poll(&mut first).is_pending());
        turn.unlock();
        assert!(poll(&mut second).is_pending(), "behind the first");
        assert!(poll(&mut first).is_ready());
        turn.unlock();
        assert!(poll(&mut second).is_ready());
        turn.unlock();
        assert!(try_lock(&turn));
    }

    /// Rule R-G-14. Source: sync.Mutex: after 1 ms the lock is handed over, until
    /// the last waiter has it.
    #[test]
    fn a_waiter_that_loses_for_a_millisecond_is_handed_the_lock() {
        let_a_millisecond_pass();
        let turn = Turn::new();
        assert!(try_lock(&turn));
        let (mut first, mut second) = (waiting(&turn), waiting(&turn));
        make_old(&turn, &first);
        make_old(&turn, &second);
        turn.unlock();
        assert!(try_lock(&turn));
        assert!(poll(&mut first).is_pending());
        assert!(lock(&turn.state).starving);
        turn.unlock();
        assert!(!try_lock(&turn), "it is the first waiter's");
        // A newcomer goes to the tail, though it runs and the holder does not yet.
        let mut third = waiting(&turn);
        assert!(poll(&mut first).is_ready());
        turn.unlock();
        assert!(!try_lock(&turn), "the mode goes on: the second starves too");
        assert!(poll(&mut second).is_ready());
        turn.unlock();
        assert!(poll(&mut third).is_ready());
        assert!(!lock(&turn.state).starving, "nobody else waits");
        turn.unlock();
        assert!(try_lock(&turn));
    }

    #[test]
    fn a_short_wait_ends_starving_mode() {
        let_a_millisecond_pass();
        let turn = Turn::new();
        assert!(try_lock(&turn));
        let mut first = waiting(&turn);
        make_old(&turn, &first);
        turn.unlock();
        assert!(try_lock(&turn));
        assert!(poll(&mut first).is_pending());
        let mut second = waiting(&turn);
        let key = second.key.as_ref().expect("it waits");
        lock(&turn.state).waiters.note(key).since = u64::MAX;
        let _third = waiting(&turn);
        turn.unlock();
        assert!(poll(&mut first).is_ready());
        assert!(lock(&turn.state).starving);
        turn.unlock();
        assert!(poll(&mut second).is_ready());
        assert!(!lock(&turn.state).starving, "it came in time");
    }

    #[test]
    fn a_waiter_that_goes_away_awake_wakes_the_next() {
        let turn = Turn::new();
        assert!(try_lock(&turn));
        let (first, mut second) = (waiting(&turn), waiting(&turn));
        turn.unlock();
        drop(first);
        assert!(poll(&mut second).is_ready());
        // One that goes away while it waits changes nothing.
        let third = waiting(&turn);
        drop(third);
        turn.unlock();
        assert!(try_lock(&turn));
    }

    #[test]
    fn a_waiter_that_goes_away_with_the_lock_hands_it_on() {
        let_a_millisecond_pass();
        let turn = Turn::new();
        assert!(try_lock(&turn));
        let (mut first, mut second) = (waiting(&turn), waiting(&turn));
        make_old(&turn, &first);
        turn.unlock();
        assert!(try_lock(&turn));
        assert!(poll(&mut first).is_pending());
        turn.unlock();
        drop(first);
        assert!(!try_lock(&turn), "handed to the second");
        assert!(poll(&mut second).is_ready());
        turn.unlock();
        // The last to be handed the lock leaves a free one behind.
        assert!(try_lock(&turn));
        let mut last = waiting(&turn);
        make_old(&turn, &last);
        turn.unlock();
        assert!(try_lock(&turn));
        assert!(poll(&mut last).is_pending());
        turn.unlock();
        drop(last);
        assert!(try_lock(&turn));
        turn.unlock();
        assert!(!lock(&turn.state).starving);
    }

    #[test]
    fn starving_mode_does_not_outlive_the_waiters() {
        let_a_millisecond_pass();
        let turn = Turn::new();
        assert!(try_lock(&turn));
        let mut first = waiting(&turn);
        make_old(&turn, &first);
        turn.unlock();
        assert!(try_lock(&turn));
        assert!(poll(&mut first).is_pending());
        drop(first);
        turn.unlock();
        assert!(try_lock(&turn), "there is nobody to hand it to");
    }
}
