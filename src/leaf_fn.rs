//! A leaf as a function of its polls.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use gmp_executor::leaf;

/// As [`std::future::poll_fn`], for a function that tells `location` before it says
/// that it waits: a future that is dropped then takes that back.
pub(crate) fn leaf_fn<T, F>(location: &'static Location<'static>, poll: F) -> LeafFn<F>
where
    F: FnMut(&mut Context<'_>) -> Poll<T>,
{
    LeafFn {
        poll,
        location,
        waits: false,
    }
}

/// The future of [`leaf_fn`].
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct LeafFn<F> {
    poll: F,
    location: &'static Location<'static>,
    waits: bool,
}

// The function is only called, never pinned.
impl<F> Unpin for LeafFn<F> {}

impl<T, F> Future for LeafFn<F>
where
    F: FnMut(&mut Context<'_>) -> Poll<T>,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        let step = (this.poll)(cx);
        this.waits = step.is_pending();
        step
    }
}

impl<F> Drop for LeafFn<F> {
    fn drop(&mut self) {
        if self.waits {
            leaf::unpark_at(self.location);
        }
    }
}
