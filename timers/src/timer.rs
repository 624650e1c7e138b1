//! The handle of a timer, to be kept by whoever waits.

use std::fmt;
use std::task::Waker;

use crate::node::{Node, Set};
use crate::sync::{Arc, OnceLock};

/// A timer that can be armed with [`Timers::add`](crate::Timers::add) any number of times.
///
/// All methods may be called from any thread. None of them takes the lock of a heap, so none waits
/// for a P that is sorting its timers. Dropping the handle stops the timer.
pub struct Timer {
    // Filled when first armed and never replaced: a zombie is in its heap still, and a new life
    // there needs the same node.
    node: OnceLock<Arc<Node>>,
}

/// What [`Timer::reset`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reset {
    /// The timer is in a heap and has its new deadline.
    Moved {
        /// False if it had been stopped. It has no waker then: see [`Timer::set_waker`].
        was_pending: bool,
        /// The deadline is earlier than what the heap's owner would sleep until: the caller must
        /// wake the poller, which is that of [`Timer::owner`].
        wake: bool,
    },
    /// The timer was never armed, has fired, or was stopped and removed. Nothing has changed; arm
    /// it with [`Timers::add`](crate::Timers::add).
    NotInHeap,
}

impl Timer {
    /// A timer that is not armed. Allocates nothing.
    #[cfg(not(loom))]
    pub const fn new() -> Timer {
        Timer {
            node: OnceLock::new(),
        }
    }

    /// As above; loom's primitives cannot be made in a constant.
    #[cfg(loom)]
    pub fn new() -> Timer {
        Timer {
            node: OnceLock::new(),
        }
    }

    /// Stops the timer and releases its waker. True if it was pending: then it does not fire until
    /// it is armed again. False if it has fired, was stopped before, or was never armed. O(1); the
    /// entry stays in its heap until that heap's owner sweeps it out.
    pub fn stop(&self) -> bool {
        // The waker is dropped here, after the timer's lock.
        self.node.get().is_some_and(|node| node.stop().is_some())
    }

    /// Gives a timer that is in a heap the deadline `when`, in nanoseconds (0 counts as 1,
    /// everything beyond [`FOREVER`](crate::FOREVER) as that). Keeps the waker.
    pub fn reset(&self, when: u64) -> Reset {
        let Some(node) = self.node.get() else {
            return Reset::NotInHeap;
        };
        match node.reset(crate::clamp(when)) {
            Set::Moved {
                was_pending, wake, ..
            } => Reset::Moved { was_pending, wake },
            Set::Out => Reset::NotInHeap,
        }
    }

    /// Who has the set that the timer is in: the number given to [`Timers::of`](crate::Timers::of).
    /// None if it is in none. A snapshot; for whoever has to wake the poller after a
    /// [`reset`](Timer::reset).
    pub fn owner(&self) -> Option<usize> {
        self.node.get().and_then(|node| node.owner())
    }

    /// Whether the timer is armed and has not fired. A snapshot.
    pub fn is_pending(&self) -> bool {
        self.node.get().is_some_and(|node| node.is_pending())
    }

    /// Whether the timer has fired since it was last armed.
    pub fn fired(&self) -> bool {
        self.node.get().is_some_and(|node| node.fired())
    }

    /// Makes a pending timer wake `waker` instead of the one it has; does nothing otherwise.
    ///
    /// Look at [`fired`](Timer::fired) afterwards: either that is true, or the timer wakes `waker`
    /// when it fires.
    pub fn set_waker(&self, waker: &Waker) {
        if let Some(node) = self.node.get() {
            node.set_waker(waker);
        }
    }

    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.node.get()
    }

    /// Ties the timer to `node`; false if another thread was first.
    pub(crate) fn bind(&self, node: Arc<Node>) -> bool {
        self.node.set(node).is_ok()
    }
}

impl Default for Timer {
    fn default() -> Timer {
        Timer::new()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.node.get() {
            None => "unarmed",
            Some(node) if node.is_pending() => "pending",
            Some(node) if node.fired() => "fired",
            Some(_) => "stopped",
        };
        f.debug_struct("Timer")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
