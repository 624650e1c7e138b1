//! The waiting primitives of the workloads: one baton and one count-down, the same for every runtime.
//!
//! A runtime's own channels would measure the channel. These are one flag and one waker slot, so that what is left is
//! the wake-up: waker clone, enqueue, dequeue, poll. Both live for the process (a run is a process) and are handed
//! round as `&'static`, so no reference count is shared between workers.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use futures::task::AtomicWaker;

/// A baton: [`give`](Turn::give) lets one [`take`](Turn::take) through. One taker at a time.
///
/// Each has a cache line: which pairs of tasks share one by accident must not decide between runtimes.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Turn {
    given: AtomicBool,
    waker: AtomicWaker,
}

impl Turn {
    pub(crate) fn give(&self) {
        self.given.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Waits until the baton is given and takes it.
    pub(crate) async fn take(&self) {
        poll_fn(|cx| {
            if self.given.swap(false, Ordering::Acquire) {
                return Poll::Ready(());
            }
            self.waker.register(cx.waker());
            // A giver that came between the swap and the registration has woken nobody.
            if self.given.swap(false, Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

/// A count-down that lets its one waiter through at zero.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    left: AtomicU64,
    zero: Turn,
}

impl Latch {
    pub(crate) fn new(count: u64) -> &'static Self {
        leak(Self {
            left: AtomicU64::new(count),
            zero: Turn::default(),
        })
    }

    /// Starts over; only while nobody can arrive.
    pub(crate) fn reset(&self, count: u64) {
        self.left.store(count, Ordering::Release);
    }

    pub(crate) fn arrive(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.zero.give();
        }
    }

    pub(crate) async fn wait(&self) {
        self.zero.take().await;
    }
}

/// Keeps `value` for the rest of the process.
pub(crate) fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// `count` batons.
pub(crate) fn turns(count: u64) -> &'static [Turn] {
    Box::leak((0..count).map(|_| Turn::default()).collect())
}
