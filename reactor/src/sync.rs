//! The one door to atomics and locks: std in a product build, loom in a model.
//! No other file of this crate names `std::sync`'s atomics or mutex, so this
//! is the inventory of its concurrency.

pub(crate) use std::sync::Arc;

#[cfg(not(loom))]
mod imp {
    pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

#[cfg(loom)]
mod imp {
    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

/// Words of the process, which no model has more than one of.
pub(crate) mod process {
    pub(crate) use std::sync::atomic::Ordering::Relaxed;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32};
}

pub(crate) use imp::{AtomicU64, AtomicUsize, Ordering};

/// A mutex that knows no poison: every critical section of this crate is a few
/// moves without user code, so a panic in one leaves nothing half done.
pub(crate) struct Lock<T>(imp::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> imp::MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The guard, unless another thread has it now.
    #[cfg(any(not(target_os = "linux"), all(test, not(loom))))]
    pub(crate) fn try_lock(&self) -> Option<imp::MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

impl<T> std::fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lock(..)")
    }
}

/// One deliberate fault for each property that the models hold. A model run
/// with a fault switched on must fail; see `models`.
#[cfg(loom)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// A waiter announces itself without looking whether the event came first.
    BlindPark,
    /// A waiter looks at closing and deadline before it announces itself only.
    GateBeforeWait,
    /// Readiness is cleared after the system call without comparing the tick.
    BlindClear,
    /// A deadline callback does not compare its sequence number.
    AnySequence,
    /// An event finds its descriptor by index alone.
    AnyGeneration,
    /// A non-blocking poll swallows the break that it meets.
    SwallowBreak,
}

#[cfg(loom)]
std::thread_local! {
    static FAULT: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Switches one fault on for the models of this thread. A model's threads are
/// coroutines of the thread that runs it.
#[cfg(all(loom, test))]
pub(crate) fn inject(fault: Option<Fault>) {
    FAULT.set(fault);
}

/// Whether the running model wants this fault.
#[cfg(loom)]
pub(crate) fn faulty(fault: Fault) -> bool {
    FAULT.get() == Some(fault)
}
