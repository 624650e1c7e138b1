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
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

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
}

#[derive(Debug)]
struct Wish {
    permits: usize,
    granted: bool,
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
            }),
        }
    }

    pub(crate) fn free(&self) -> usize {
        lock(&self.state).free
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    pub(crate) fn try_acquire(&self, permits: usize) -> Result<(), Refused> {
        lock(&self.state).take(permits)
    }

    /// Gives `permits` back, or new ones. No more than `limit` are free
    /// afterwards: what to do if they were is told by false.
    pub(crate) fn release(&self, permits: usize, limit: usize) -> bool {
        let mut state = lock(&self.state);
        let Some(free) = state.free.checked_add(permits).filter(|n| *n <= limit) else {
            return false;
        };
        state.free = free;
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
    ) -> Acquire<'_> {
        Acquire {
            permits: self,
            wanted: permits,
            key: None,
            reason,
            location,
        }
    }
}

impl State {
    fn take(&mut self, permits: usize) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if !self.waiters.is_empty() || self.free < permits {
            return Err(Refused::TooFew);
        }
        self.free -= permits;
        Ok(())
    }

    /// Serves the queue as far as the permits go.
    fn grant(&mut self) -> Wakers {
        let mut wakers = Wakers::default();
        while self.waiters.front().is_some_and(|w| w.permits <= self.free) {
            if let Some((wish, waker)) = self.waiters.pop() {
                self.free -= wish.permits;
                wish.granted = true;
                wakers.add(waker);
            }
        }
        wakers
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
                this.key = Some(key);
                former
            }
            Some(key) => {
                let removed = state.waiters.remove(key);
                return Poll::Ready(removed.note.granted);
            }
            None => match state.take(this.wanted) {
                Ok(()) => return Poll::Ready(true),
                Err(Refused::Closed) => return Poll::Ready(false),
                Err(Refused::TooFew) => {
                    let wish = Wish {
                        permits: this.wanted,
                        granted: false,
                    };
                    this.key = Some(state.waiters.push(Some(cx.waker()), wish));
                    None
                }
            },
        };
        drop(state);
        drop(former);
        leaf::park(this.reason, this.location);
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
        }
        // A large wish that is gone may have stood before small ones.
        let wakers = state.grant();
        drop(state);
        drop(removed);
        wakers.wake();
    }
}
