//! A future with a deadline.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gmp_executor::leaf;
use pin_project::pin_project;

use super::{Instant, Sleep, sleep, sleep_until};

/// Gives `future` at most `duration`. The future is polled first: one that is
/// ready at once succeeds even with a duration of zero.
///
/// # Errors
/// [`Elapsed`] if the time is over first; the future is dropped with the
/// `Timeout`.
///
/// # Cancel safety
/// That of `future`.
///
/// ```
/// # gmp::block_on(async {
/// use std::time::Duration;
/// let never = std::future::pending::<()>();
/// assert!(gmp::time::timeout(Duration::from_millis(1), never).await.is_err());
/// # });
/// ```
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: sleep(duration),
    }
}

/// Gives `future` until `deadline`.
///
/// # Errors
/// As [`timeout`].
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: sleep_until(deadline),
    }
}

/// The future of [`timeout`].
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Timeout<F> {
    #[pin]
    future: F,
    sleep: Sleep,
}

impl<F> Timeout<F> {
    /// The future inside.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future inside.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future inside, without its deadline.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let told = leaf::told();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A future that was asked to give way must not keep the deadline from
        // being looked at.
        ready!(leaf::unconstrained(|| this.sleep.poll_beside(cx)));
        leaf::take_back(told);
        Poll::Ready(Err(Elapsed(())))
    }
}

/// The time was over first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
