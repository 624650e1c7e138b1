//! Calling wakers that were collected under a lock, after that lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::thread;

/// Wakes every one, also when one of them panics. The first panic comes back
/// for the caller to resume; a destructor drops it, since the panic hook has
/// spoken already.
pub(crate) fn wake_all(wakers: Vec<Waker>) -> thread::Result<()> {
    let mut outcome = Ok(());
    for waker in wakers {
        let woken = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        outcome = outcome.and(woken);
    }
    outcome
}

/// [`wake_all`] for a caller that may unwind.
pub(crate) fn wake_all_or_unwind(wakers: Vec<Waker>) {
    if let Err(payload) = wake_all(wakers) {
        std::panic::resume_unwind(payload);
    }
}
