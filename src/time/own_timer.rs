//! A timer that a child of fork leaves alone.
//!
//! What a child has is a copy of its parent's timer, in a heap of the parent's that
//! nobody looks at there and whose locks may be held for ever.

use std::mem::{self, ManuallyDrop};
use std::ops::Deref;

use gmp_reactor::Origin;
use gmp_timers::Timer;

/// A timer, and the process that it belongs to. In another one nothing may be done
/// with it but to drop it, which does nothing.
#[derive(Debug)]
pub(crate) struct OwnTimer {
    timer: Timer,
    origin: Origin,
}

impl OwnTimer {
    /// A timer of this process, which is not armed.
    pub(crate) fn new() -> OwnTimer {
        OwnTimer {
            timer: Timer::new(),
            origin: Origin::here(),
        }
    }

    /// Whether this is the copy in a child of fork.
    pub(crate) fn is_inherited(&self) -> bool {
        self.origin.is_elsewhere()
    }

    /// Stops it; the copy is stopped from the start.
    pub(crate) fn stop(&self) {
        if !self.is_inherited() {
            self.timer.stop();
        }
    }
}

impl Deref for OwnTimer {
    type Target = Timer;

    fn deref(&self) -> &Timer {
        &self.timer
    }
}

impl Drop for OwnTimer {
    fn drop(&mut self) {
        if self.is_inherited() {
            forget(&mut self.timer);
        }
    }
}

/// Puts a new timer in the place of a copy, which is never dropped.
#[cold]
pub(super) fn forget(timer: &mut Timer) {
    let _of_the_parent = ManuallyDrop::new(mem::take(timer));
}
