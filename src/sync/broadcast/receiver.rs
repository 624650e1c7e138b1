//! The end where every value comes out.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use gmp_executor::WaitReason;

use super::error::{RecvError, TryRecvError};
use super::{Found, Remains, Shared, State};
use crate::sync::wait::Wait;
use crate::sync::waiters::{Wakers, lock};

/// Receives every value that is sent while it lives, unless it is too slow.
pub struct Receiver<T> {
    pub(super) shared: Arc<Shared<T>>,
    /// The number of the value that it gets next.
    next: u64,
}

/// A value that was found, before its clone, or none.
type Taken<T> = Result<(Arc<T>, Remains<T>), RecvError>;

impl<T> Receiver<T> {
    /// A receiver of what is sent from now on.
    pub(super) fn join(shared: &Arc<Shared<T>>) -> Receiver<T> {
        let mut state = lock(shared);
        state.receivers += 1;
        Receiver {
            shared: shared.clone(),
            next: state.end(),
        }
    }

    /// A new receiver of the same channel, of what is sent from now on.
    pub fn resubscribe(&self) -> Receiver<T> {
        Receiver::join(&self.shared)
    }

    /// How many values wait for this receiver, with those that it has missed.
    pub fn len(&self) -> usize {
        let end = lock(&self.shared).end();
        usize::try_from(end - self.next).unwrap_or(usize::MAX)
    }

    /// Whether it has received everything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every sender is gone; values may be left.
    pub fn is_closed(&self) -> bool {
        lock(&self.shared).senders == 0
    }

    /// Whether both receive from the same channel.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next value, and waits for it. The last receiver of a value
    /// gets it itself, the others a clone.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] if values were missed; receiving goes on afterwards.
    /// [`RecvError::Closed`] if every sender is gone and nothing is left.
    ///
    /// # Cancel safety
    /// Yes: nothing is received unless this returns.
    ///
    /// ```
    /// use gmp::sync::broadcast::{self, RecvError};
    ///
    /// # gmp::block_on(async {
    /// let (tx, mut rx) = broadcast::channel(2);
    /// for n in 1..=5 {
    ///     tx.send(n).expect("a receiver");
    /// }
    /// drop(tx);
    /// assert_eq!(rx.recv().await, Err(RecvError::Lagged(3)));
    /// assert_eq!(rx.recv().await, Ok(4));
    /// assert_eq!(rx.recv().await, Ok(5));
    /// assert_eq!(rx.recv().await, Err(RecvError::Closed));
    /// # });
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Result<T, RecvError>> {
        let location = Location::caller();
        async move {
            let next = &mut self.next;
            let taken: Taken<T> = Wait {
                state: &*self.shared,
                queue: |state| &mut state.waiters,
                look: |state: &mut State<T>, _| {
                    let taken = match state.take(next) {
                        Found::Value(value, remains) => Ok((value, remains)),
                        Found::Lagged(missed) => Err(RecvError::Lagged(missed)),
                        Found::Closed => Err(RecvError::Closed),
                        Found::Empty => return None,
                    };
                    Some((taken, Wakers::default()))
                },
                reason: WaitReason::ChanReceive,
                location,
                place: None,
            }
            .await;
            taken.map(own)
        }
    }

    /// Receives the next value if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if it is not; else as [`Receiver::recv`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        // The lock ends with this statement, before anything is cloned.
        let found = lock(&self.shared).take(&mut self.next);
        match found {
            Found::Value(value, remains) => Ok(own((value, remains))),
            Found::Lagged(missed) => Err(TryRecvError::Lagged(missed)),
            Found::Closed => Err(TryRecvError::Closed),
            Found::Empty => Err(TryRecvError::Empty),
        }
    }
}

/// The value itself, if nobody else wants it, or a clone.
fn own<T: Clone>((value, remains): (Arc<T>, Remains<T>)) -> T {
    drop(remains);
    Arc::unwrap_or_clone(value)
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // The lock ends with this statement, before any value is dropped.
        let (_remains, wakers) = lock(&self.shared).leave(self.next);
        wakers.wake();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish()
    }
}
