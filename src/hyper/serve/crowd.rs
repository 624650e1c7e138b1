//! The open connections of one server: how many, how to tell them to finish, and
//! how to end those that do not.
//!
//! A connection takes the lock when it comes, when it goes, and when it is polled
//! for the first time. A server that is not stopping costs each further poll one
//! load and one comparison of wakers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::task::AbortHandle;

#[derive(Default)]
pub(super) struct Crowd {
    /// Only grows true; set under the lock, so that who registers there either
    /// sees it or is woken.
    closing: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    members: HashMap<u64, Member>,
    /// The server, while it waits for connections to go.
    waiter: Option<Waker>,
}

#[derive(Default)]
struct Member {
    waker: Option<Waker>,
    task: Option<AbortHandle>,
}

impl Crowd {
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One more, until the ticket is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Ticket {
        let id = self.with(|inner| {
            let id = inner.next;
            inner.next += 1;
            inner.members.insert(id, Member::default());
            id
        });
        Ticket {
            crowd: self.clone(),
            id,
            registered: None,
        }
    }

    /// Says which task the holder of ticket `id` is; it may have gone already.
    pub(super) fn introduce(&self, id: u64, task: AbortHandle) {
        self.with(|inner| {
            if let Some(member) = inner.members.get_mut(&id) {
                member.task = Some(task);
            }
        });
    }

    /// Ready when there are no more than `most`. One waiter at a time.
    pub(super) fn poll_at_most(&self, most: usize, cx: &mut Context<'_>) -> Poll<()> {
        self.with(|inner| {
            if inner.members.len() <= most {
                return Poll::Ready(());
            }
            match &mut inner.waiter {
                Some(waiter) => waiter.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    }

    /// Tells everybody to finish.
    pub(super) fn close(&self) {
        let wakers: Vec<Waker> = self.with(|inner| {
            // ord: under the lock; the load without it is only a short cut.
            self.closing.store(true, Ordering::Relaxed);
            let members = inner.members.values_mut();
            members.filter_map(|member| member.waker.take()).collect()
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Aborts whoever is left, and says how many that are.
    pub(super) fn abort(&self) -> usize {
        let tasks: Vec<_> = self.with(|inner| {
            let members = inner.members.values();
            members.map(|member| member.task.clone()).collect()
        });
        tasks.iter().flatten().for_each(AbortHandle::abort);
        tasks.len()
    }
}

/// A place in the crowd.
pub(super) struct Ticket {
    crowd: Arc<Crowd>,
    id: u64,
    /// Who is woken by a close, as the crowd knows it.
    registered: Option<Waker>,
}

impl Ticket {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it is time to finish; else this task is woken when it is.
    pub(super) fn is_closing(&mut self, cx: &mut Context<'_>) -> bool {
        // ord: a false no is caught by the wake-up, or under the lock.
        if self.crowd.closing.load(Ordering::Relaxed) {
            return true;
        }
        if matches!(&self.registered, Some(waker) if waker.will_wake(cx.waker())) {
            return false;
        }
        self.registered = Some(cx.waker().clone());
        self.crowd.with(|inner| {
            if let Some(member) = inner.members.get_mut(&self.id) {
                member.waker.clone_from(&self.registered);
            }
            self.crowd.closing.load(Ordering::Relaxed) // ord: under the lock
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (member, waiter) = self
            .crowd
            .with(|inner| (inner.members.remove(&self.id), inner.waiter.take()));
        // Out of the lock: the task's handle may be the last one.
        drop(member);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag::default());
        (flag.clone(), Waker::from(flag))
    }

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl std::task::Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Flag {
        fn take(&self) -> bool {
            self.0.swap(false, Ordering::Relaxed)
        }
    }

    #[test]
    fn a_waiter_is_woken_by_whoever_goes() {
        let crowd = Arc::new(Crowd::default());
        let (flag, waker) = woken();
        let mut cx = Context::from_waker(&waker);
        let (one, other) = (crowd.enter(), crowd.enter());
        assert!(crowd.poll_at_most(2, &mut cx).is_ready());
        assert!(crowd.poll_at_most(1, &mut cx).is_pending());
        assert!(!flag.take());
        drop(one);
        assert!(flag.take());
        assert!(crowd.poll_at_most(1, &mut cx).is_ready());
        assert!(crowd.poll_at_most(0, &mut cx).is_pending());
        drop(other);
        assert!(flag.take());
        assert!(crowd.poll_at_most(0, &mut cx).is_ready());
    }

    #[test]
    fn a_close_reaches_members_before_and_after_it() {
        let crowd = Arc::new(Crowd::default());
        let (flag, waker) = woken();
        let mut cx = Context::from_waker(&waker);
        let mut early = crowd.enter();
        assert!(!early.is_closing(&mut cx));
        assert!(!early.is_closing(&mut cx));
        crowd.close();
        assert!(flag.take());
        assert!(early.is_closing(&mut cx));
        assert!(crowd.enter().is_closing(&mut cx));
    }

    #[test]
    fn a_close_wakes_the_last_waker_that_polled() {
        let crowd = Arc::new(Crowd::default());
        let ((first, first_waker), (second, second_waker)) = (woken(), woken());
        let mut ticket = crowd.enter();
        assert!(!ticket.is_closing(&mut Context::from_waker(&first_waker)));
        assert!(!ticket.is_closing(&mut Context::from_waker(&second_waker)));
        crowd.close();
        assert!(second.take());
        assert!(!first.take());
    }
}
