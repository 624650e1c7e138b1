//! The permits behind [`Semaphore`](super::Semaphore) and
//! [`RwLock`](crate::sync::RwLock): a number, and a queue of those who want some.
//!
//! Invariants, outside the lock:
//! 1. The first in the queue wants more than there are. Nobody overtakes it, with
//!    however small a wish, or it could wait for ever.
//! 2. Permits are taken off `free` when their waiter leaves the queue; one that
//!    goes away afterwards gives them back.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use gmp_executor::held::{self, Guard, Holder, Lot};
use gmp_executor::{WaitReason, leaf};

use crate::sync::waiters::{Key, Waiters, Wakers, lock};

#[derive(Debug)]
pub(crate) struct Permits {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    closed: bool,
    waiters: Waiters<Wish>,
    held: Held,
}

/// For reports of tasks that wait for each other.
#[derive(Debug)]
struct Held {
    /// All permits there are, of a lock. Those of a semaphore have no number, and no
    /// holder: anybody may add some, and give back what others took.
    all: Option<usize>,
    /// Of a lock: one who surely has some. Of a semaphore: who took some last.
    one: Holder,
    /// Where others look that up, since somebody waited for the first time.
    lot: Option<Lot>,
}

#[derive(Debug)]
struct Wish {
    permits: usize,
    granted: bool,
    /// Who waits, for the moment when it has what it wants.
    holder: Holder,
}

/// Why permits cannot be had at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    TooFew,
    Closed,
}

impl Permits {
    pub(crate) const fn new(free: usize) -> Permits {
        Permits {
            state: Mutex::new(State {
                free,
                closed: false,
                waiters: Waiters::new(),
                held: Held {
                    all: None,
                    one: Holder::NOBODY,
                    lot: None,
                },
            }),
        }
    }

    /// The permits of a lock, all of them free: it is known who has some.
    pub(crate) const fn of_lock(all: usize) -> Permits {
        Permits {
            state: Mutex::new(State {
                free: all,
                closed: false,
                waiters: Waiters::new(),
                held: Held {
                    all: Some(all),
                    one: Holder::NOBODY,
                    lot: None,
                },
            }),
        }
    }

    pub(crate) fn free(&self) -> usize {
        lock(&self.state).free
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    #[track_caller]
    pub(crate) fn try_acquire(&self, permits: usize, guard: Guard) -> Result<(), Refused> {
        lock(&self.state).take(permits, Location::caller(), guard, ptr::null())
    }

    /// Gives `permits` back, or new ones. No more than `limit` are free
    /// afterwards: what to do if they were is told by false.
    pub(crate) fn release(&self, permits: usize, limit: usize) -> bool {
        let mut state = lock(&self.state);
        let Some(free) = state.free.checked_add(permits).filter(|n| *n <= limit) else {
            return false;
        };
        state.free = free;
        state.given_back(permits);
        let wakers = state.grant();
        drop(state);
        wakers.wake();
        true
    }

    /// Takes up to `permits` of the free ones away for good.
    pub(crate) fn forget(&self, permits: usize) -> usize {
        let mut state = lock(&self.state);
        let taken = permits.min(state.free);
        state.free -= taken;
        taken
    }

    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let wakers = state.waiters.pop_all();
        drop(state);
        wakers.wake();
    }

    /// Waits for `permits`; false if they are closed.
    pub(crate) fn acquire(
        &self,
        permits: usize,
        reason: WaitReason,
        location: &'static Location<'static>,
        guard: Guard,
    ) -> Acquire<'_> {
        Acquire {
            permits: self,
            wanted: permits,
            key: None,
            reason,
            location,
            guard,
        }
    }
}

impl State {
    fn take(
        &mut self,
        permits: usize,
        location: &'static Location<'static>,
        guard: Guard,
        leaf: *const (),
    ) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if !self.waiters.is_empty() || self.free < permits {
            return Err(Refused::TooFew);
        }
        if self.held.is_wanted() {
            self.hold(permits, Holder::here(location, guard, leaf));
        }
        self.free -= permits;
        Ok(())
    }

    /// Before permits are taken off the free ones.
    fn hold(&mut self, permits: usize, holder: Holder) {
        let held = &mut self.held;
        match held.all {
            Some(all) if permits == all => held.set(holder),
            // Whoever was first is still there until somebody leaves.
            Some(all) if self.free == all => held.set(holder.shared()),
            Some(_) => {}
            None => held.set(holder),
        }
    }

    /// After permits were added to the free ones.
    fn given_back(&mut self, permits: usize) {
        let held = &mut self.held;
        let Some(all) = held.all else { return };
        if permits > 0 && permits + 1 == all {
            // A writer that became a reader is still there.
            held.set(held.one.shared());
        } else {
            // Of two readers there is no telling which is left.
            held.set(Holder::NOBODY);
        }
    }

    /// The number by which the holder is found while somebody waits; 0: by none.
    fn lot(&mut self) -> u64 {
        let held = &mut self.held;
        if !held.is_wanted() {
            return 0;
        }
        let place = ptr::from_ref(held).cast();
        held.lot
            .get_or_insert_with(|| Lot::of_lock(held.one, place))
            .number()
    }

    /// Serves the queue as far as the permits go.
    fn grant(&mut self) -> Wakers {
        let mut wakers = Wakers::default();
        while self.waiters.front().is_some_and(|w| w.permits <= self.free) {
            if let Some((wish, waker)) = self.waiters.pop() {
                wish.granted = true;
                wakers.add(waker);
                let (permits, holder) = (wish.permits, wish.holder);
                self.hold(permits, holder);
                self.free -= permits;
            }
        }
        wakers
    }
}

impl Held {
    /// Whether anybody asks who it is.
    fn is_wanted(&self) -> bool {
        self.all.is_some() || held::is_watched()
    }

    fn set(&mut self, one: Holder) {
        self.one = one;
        if let Some(lot) = &self.lot {
            lot.held_by(one);
        }
    }
}

/// The future of [`Permits::acquire`].
#[derive(Debug)]
pub(crate) struct Acquire<'a> {
    permits: &'a Permits,
    wanted: usize,
    key: Option<Key>,
    reason: WaitReason,
    location: &'static Location<'static>,
    guard: Guard,
}

impl Acquire<'_> {
    /// Whoever polls this, which is pinned where it is.
    fn holder(&self) -> Holder {
        Holder::here(self.location, self.guard, self.place())
    }

    fn place(&self) -> *const () {
        ptr::from_ref(self).cast()
    }
}

impl Future for Acquire<'_> {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let mut state = lock(&this.permits.state);
        let former = match this.key.take() {
            Some(key) if state.waiters.is_queued(&key) => {
                let former = state.waiters.set_waker(&key, cx.waker());
                if former.is_some() {
                    // Another task goes on with this wait, and will hold the permits: the
                    // record of the first one may name this place no more.
                    state.waiters.note(&key).holder = this.holder();
                    state.held.lot = None;
                }
                this.key = Some(key);
                former
            }
            Some(key) => {
                let removed = state.waiters.remove(key);
                return Poll::Ready(removed.note.granted);
            }
            None => match state.take(this.wanted, this.location, this.guard, this.place()) {
                Ok(()) => return Poll::Ready(true),
                Err(Refused::Closed) => return Poll::Ready(false),
                Err(Refused::TooFew) => {
                    let wish = Wish {
                        permits: this.wanted,
                        granted: false,
                        holder: this.holder(),
                    };
                    this.key = Some(state.waiters.push(Some(cx.waker()), wish));
                    None
                }
            },
        };
        let lot = state.lot();
        drop(state);
        drop(former);
        leaf::park_for(this.reason, this.location, lot, cx.waker());
        Poll::Pending
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut state = lock(&self.permits.state);
        let removed = state.waiters.remove(key);
        if removed.note.granted {
            state.free += removed.note.permits;
            state.given_back(removed.note.permits);
        }
        if removed.waker.as_ref().is_some_and(Lot::is_stale) {
            state.held.lot = None;
        }
        // A large wish that is gone may have stood before small ones.
        let wakers = state.grant();
        drop(state);
        leaf::unpark_at(self.location);
        drop(removed);
        wakers.wake();
    }
}
