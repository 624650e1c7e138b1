//! A function at a later time, Go's `time.AfterFunc`.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use gmp_executor::leaf;

use super::own_timer::OwnTimer;
use crate::runtime::Handle;

/// Runs `f` in a task of its own after `duration`, on this thread's runtime, else
/// on the global one. Dropping the returned [`Timer`] does *not* stop it.
///
/// ```
/// use std::time::Duration;
/// # gmp::block_on(async {
/// let (done, wait) = futures::channel::oneshot::channel();
/// gmp::time::after_func(Duration::from_micros(10), move || done.send(7).unwrap());
/// assert_eq!(wait.await, Ok(7));
///
/// let timer = gmp::time::after_func(Duration::from_secs(3600), || unreachable!());
/// assert!(timer.stop());
/// assert!(!timer.stop());
/// # });
/// ```
pub fn after_func<F>(duration: Duration, f: F) -> Timer
where
    F: FnOnce() + Send + 'static,
{
    let shared = Arc::new(Shared {
        timer: OwnTimer::new(),
        handle: Handle::current(),
        call: Mutex::new(Some(Box::new(f))),
    });
    shared.rearm(duration);
    Timer { shared }
}

/// A function that waits for its time; see [`after_func`].
#[derive(Clone)]
pub struct Timer {
    shared: Arc<Shared>,
}

struct Shared {
    timer: OwnTimer,
    handle: Handle,
    call: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Shared {
    fn take(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.call
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn rearm(self: &Arc<Self>, duration: Duration) {
        let waker = Waker::from(self.clone());
        let when = leaf::when(duration);
        leaf::rearm(self.handle.reactor(), &self.timer, when, &waker);
        if !self.timer.is_pending() && !self.timer.fired() {
            // Its runtime has ended.
            drop(self.take());
        }
    }
}

/// The heap's end of it: what fires is a waker, and this one spawns the call, so
/// that a slow function delays no other timer.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        if let Some(call) = self.take() {
            drop(self.handle.spawn(async move { call() }));
        }
    }
}

impl Timer {
    /// Stops the timer. True: the function was still waiting and will not run. Nothing
    /// happens in a child of fork: the function runs in its parent alone.
    pub fn stop(&self) -> bool {
        if self.shared.timer.is_inherited() {
            return false;
        }
        // Who has the function decides whether it runs.
        let call = self.shared.take();
        self.shared.timer.stop();
        call.is_some()
    }

    /// Moves the time to `duration` from now. True: the function was still
    /// waiting. One that has run or was stopped does not come back. In a child of fork
    /// as [`stop`](Self::stop).
    pub fn reset(&self, duration: Duration) -> bool {
        if self.shared.timer.is_inherited() {
            return false;
        }
        let waits = self
            .shared
            .call
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if waits {
            self.shared.rearm(duration);
        }
        waits
    }
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer")
            .field("pending", &self.shared.timer.is_pending())
            .finish()
    }
}

/// Asserts at compile time what callers rely on.
const _: fn() = || {
    fn all<T: Send + Sync + Unpin>() {}
    all::<Timer>();
    all::<super::Sleep>();
};
