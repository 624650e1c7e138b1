//! `select!` and `select_biased!`: futures' own, with one more branch.
//!
//! That branch is for dumps. It says at each poll of the select that it has ended, so it
//! is never polled and takes part in nothing, `complete` and `default` included; being
//! asked is what it is there for.

use std::convert::Infallible;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use futures::future::FusedFuture;
use gmp_executor::leaf;

/// Waits for the first of several fused futures and takes a ready one at random. It is
/// [`futures::select!`], branches `complete` and `default` included; and a task that waits in
/// it is shown as `[select]`, with its line.
///
/// ```
/// use futures::FutureExt;
/// use std::time::Duration;
///
/// # gmp::block_on(async {
/// let mut slow = std::pin::pin!(gmp::time::sleep(Duration::from_secs(60)).fuse());
/// let mut fast = std::pin::pin!(gmp::time::sleep(Duration::from_millis(1)).fuse());
/// let first = gmp::select! {
///     () = slow => "slow",
///     () = fast => "fast",
/// };
/// assert_eq!(first, "fast");
/// # });
/// ```
#[macro_export]
macro_rules! select {
    ($($branches:tt)*) => {
        $crate::__private::select! {
            never = $crate::__private::Selecting::here() => match never {},
            $($branches)*
        }
    };
}

/// As [`select!`](crate::select!), and takes the first in order of several that are ready:
/// [`futures::select_biased!`].
///
/// ```
/// # gmp::block_on(async {
/// let mut first = futures::future::ready(1);
/// let mut second = futures::future::ready(2);
/// let taken = gmp::select_biased! {
///     n = second => n,
///     n = first => n,
/// };
/// assert_eq!(taken, 2);
/// # });
/// ```
#[macro_export]
macro_rules! select_biased {
    ($($branches:tt)*) => {
        $crate::__private::select_biased! {
            never = $crate::__private::Selecting::here() => match never {},
            $($branches)*
        }
    };
}

/// The branch that is none. The select drops it when it is over, before it runs what
/// stands beside the branch that it has taken.
#[derive(Debug)]
#[must_use]
pub struct Selecting(&'static Location<'static>);

impl Selecting {
    /// For the select at the caller's place.
    #[track_caller]
    pub fn here() -> Selecting {
        Selecting(Location::caller())
    }

    fn key(&self) -> *const () {
        ptr::from_ref(self).cast()
    }
}

impl FusedFuture for Selecting {
    fn is_terminated(&self) -> bool {
        leaf::select_polls(self.key(), self.0);
        true
    }
}

impl Future for Selecting {
    type Output = Infallible;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Infallible> {
        Poll::Pending
    }
}

impl Drop for Selecting {
    fn drop(&mut self) {
        leaf::select_ends(self.key());
    }
}
