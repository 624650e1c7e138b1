//! Giving way: by wish, on request, and not at all.

use std::pin::Pin;
use std::task::{Context, Poll};

use gmp_executor::leaf;
use pin_project::pin_project;

/// Gives way: the task goes to the tail of the *global* queue, behind everybody
/// who is ready now (Go's `runtime.Gosched`, rule R-G-10). While all of several Ps are
/// busy it stays on its own one instead, behind the tasks there and the global queue.
///
/// # Cancel safety
/// Yes.
///
/// ```
/// # gmp::block_on(async {
/// gmp::task::yield_now().await;
/// # });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        leaf::gosched(cx);
        Poll::Pending
    }
}

/// A place where a computing task may be asked to give way: returns at once
/// unless its time slice is over (Go's check at a function's entry). Costs one
/// load and one compare, so it may stand in an inner loop.
///
/// # Cancel safety
/// Yes.
///
/// ```
/// # gmp::block_on(async {
/// let mut sum = 0_u64;
/// for n in 0..10_000 {
///     sum += n;
///     gmp::task::safepoint().await;
/// }
/// assert_eq!(sum, 49_995_000);
/// # });
/// ```
pub fn safepoint() -> Safepoint {
    Safepoint { asked: false }
}

/// [`safepoint`] under Tokio's name.
pub fn consume_budget() -> Safepoint {
    safepoint()
}

/// The future of [`safepoint`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Safepoint {
    asked: bool,
}

impl Future for Safepoint {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.asked {
            return Poll::Ready(());
        }
        let answer = leaf::poll_check(cx);
        self.asked = answer.is_pending();
        answer
    }
}

/// Runs `future` without asking it to give way: its leaves never return Pending
/// for a time slice's sake. Its P may still go on elsewhere.
pub fn unconstrained<F: Future>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

/// The future of [`unconstrained`].
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Unconstrained<F> {
    #[pin]
    future: F,
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        leaf::unconstrained(|| future.poll(cx))
    }
}
