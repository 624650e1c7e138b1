//! The end that follows the value.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use gmp_executor::WaitReason;

use super::error::RecvError;
use super::{Ref, Shared, State};
use crate::sync::wait::Wait;
use crate::sync::waiters::{Wakers, lock};

/// Follows the value: it remembers which version it has seen.
///
/// ```
/// # gmp::block_on(async {
/// let (tx, mut rx) = gmp::sync::watch::channel("old");
/// tx.send("new").expect("somebody follows");
/// rx.changed().await.expect("a sender lives");
/// assert_eq!(*rx.borrow(), "new");
/// # });
/// ```
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Receiver<T> {
    /// For a receiver that is counted already.
    pub(super) fn new(shared: Arc<Shared<T>>, seen: u64) -> Receiver<T> {
        Receiver { shared, seen }
    }

    /// The value, which does not count as seen. See [`Ref`] for what it holds up.
    pub fn borrow(&self) -> Ref<'_, T> {
        let (value, version) = self.shared.read();
        Ref {
            value,
            changed: version != self.seen,
        }
    }

    /// The value, which counts as seen. See [`Ref`] for what it holds up.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let (value, version) = self.shared.read();
        let changed = version != std::mem::replace(&mut self.seen, version);
        Ref { value, changed }
    }

    /// Whether both follow the same value.
    ///
    /// ```
    /// let (tx, rx) = gmp::sync::watch::channel(1);
    /// assert!(rx.same_channel(&tx.subscribe()));
    /// assert!(!rx.same_channel(&gmp::sync::watch::channel(1).1));
    /// ```
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether there is a value that was not seen.
    ///
    /// # Errors
    /// If every sender is gone.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let state = lock(&self.shared.state);
        if state.senders == 0 {
            return Err(RecvError);
        }
        Ok(state.version != self.seen)
    }

    /// The present value counts as not seen.
    pub fn mark_changed(&mut self) {
        // Any other number will do: versions only grow.
        self.seen = lock(&self.shared.state).version.wrapping_sub(1);
    }

    /// The present value counts as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = lock(&self.shared.state).version;
    }

    /// Waits for a value that was not seen, which counts as seen then.
    ///
    /// # Errors
    /// If every sender is gone and there is none.
    ///
    /// # Cancel safety
    /// Yes: nothing counts as seen unless this returns.
    #[track_caller]
    pub fn changed(&mut self) -> impl Future<Output = Result<(), RecvError>> {
        changed(&self.shared, &mut self.seen, Location::caller())
    }

    /// Waits until the value, the present one or a later, is such that `holds`.
    /// Each value that was looked at counts as seen.
    ///
    /// # Errors
    /// If every sender is gone and the last value is not such.
    ///
    /// # Cancel safety
    /// Yes.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, mut rx) = gmp::sync::watch::channel(1);
    /// let task = gmp::spawn(async move { rx.wait_for(|n| n % 10 == 0).await.map(|n| *n) });
    /// for n in 2..=20 {
    ///     if tx.send(n).is_err() {
    ///         break;
    ///     }
    ///     gmp::task::yield_now().await;
    /// }
    /// assert_eq!(task.await.expect("no panic").expect("found") % 10, 0);
    /// # });
    /// ```
    #[track_caller]
    pub fn wait_for(
        &mut self,
        mut holds: impl FnMut(&T) -> bool,
    ) -> impl Future<Output = Result<Ref<'_, T>, RecvError>> {
        let location = Location::caller();
        async move {
            loop {
                {
                    let (value, version) = self.shared.read();
                    let changed = version != std::mem::replace(&mut self.seen, version);
                    if holds(&value) {
                        return Ok(Ref { value, changed });
                    }
                }
                changed(&self.shared, &mut self.seen, location).await?;
            }
        }
    }
}

fn changed<'a, T>(
    shared: &'a Shared<T>,
    seen: &'a mut u64,
    location: &'static Location<'static>,
) -> impl Future<Output = Result<(), RecvError>> + use<'a, T> {
    Wait {
        state: &shared.state,
        queue: |state| &mut state.following,
        look: |state: &mut State, _| {
            if state.version != *seen {
                *seen = state.version;
                return Some((Ok(()), Wakers::default()));
            }
            (state.senders == 0).then(|| (Err(RecvError), Wakers::default()))
        },
        reason: WaitReason::ChanReceive,
        location,
        place: None,
    }
}

impl<T> Clone for Receiver<T> {
    /// The clone has seen what this one has.
    fn clone(&self) -> Receiver<T> {
        lock(&self.shared.state).receivers += 1;
        Receiver::new(self.shared.clone(), self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.receivers -= 1;
        let wakers = match state.receivers {
            0 => state.leaving.pop_all(),
            _ => Wakers::default(),
        };
        drop(state);
        wakers.wake();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("changed", &self.has_changed())
            .finish_non_exhaustive()
    }
}
