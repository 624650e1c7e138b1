//! The future of everything that waits until its state says so.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use gmp_executor::{WaitReason, leaf};

use super::waiters::{Key, Waiters, Wakers, lock};

/// Where the waiter stands when it looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// It has just come.
    New,
    /// It is in the queue.
    Queued,
    /// Somebody has taken it out.
    Taken,
}

/// Looks at the state, and waits in a queue of it while there is nothing.
///
/// `look` is asked under the lock, at each poll. What it finds ends the wait; the
/// wakers that come with it are woken after the lock.
pub(crate) struct Wait<'a, S, F> {
    pub(crate) state: &'a Mutex<S>,
    pub(crate) queue: fn(&mut S) -> &mut Waiters<()>,
    pub(crate) look: F,
    pub(crate) reason: WaitReason,
    pub(crate) location: &'static Location<'static>,
    pub(crate) place: Option<Key>,
}

// The closure is only called, never polled.
impl<S, F> Unpin for Wait<'_, S, F> {}

impl<S, R, F> Future for Wait<'_, S, F>
where
    F: FnMut(&mut S, Seen) -> Option<(R, Wakers)>,
{
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let mut state = lock(this.state);
        let queue = this.queue;
        let seen = match &this.place {
            None => Seen::New,
            Some(key) if queue(&mut state).is_queued(key) => Seen::Queued,
            Some(_) => Seen::Taken,
        };
        if let Some((found, wakers)) = (this.look)(&mut state, seen) {
            let removed = this.place.take().map(|key| queue(&mut state).remove(key));
            drop(state);
            drop(removed);
            wakers.wake();
            return Poll::Ready(found);
        }
        let former = match &this.place {
            Some(key) if seen == Seen::Queued => queue(&mut state).set_waker(key, cx.waker()),
            Some(key) => {
                queue(&mut state).requeue_back(key, cx.waker());
                None
            }
            None => {
                this.place = Some(queue(&mut state).push(Some(cx.waker()), ()));
                None
            }
        };
        drop(state);
        drop(former);
        leaf::park(this.reason, this.location);
        Poll::Pending
    }
}

impl<S, F> Drop for Wait<'_, S, F> {
    fn drop(&mut self) {
        if let Some(key) = self.place.take() {
            let queue = self.queue;
            // The lock ends with this statement, before the waker is dropped.
            let _removed = queue(&mut lock(self.state)).remove(key);
            leaf::unpark_at(self.location);
        }
    }
}
