//! The one door to atomics, fences, cells and locks: std in a product build,
//! loom in a model. Nothing else in this crate names `std::sync`, so this file
//! is the crate's inventory of concurrency.

#[cfg(not(loom))]
mod imp {
    #[cfg(not(target_os = "linux"))]
    pub(crate) use std::sync::Condvar;
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicI32, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    };
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

    /// The full fence of a store-then-load handshake ("form F": publish, fence,
    /// look; the partner does the same). Both sides call this and nothing else.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "one instruction on the wake path")]
    pub(crate) fn store_load_fence() {
        std::sync::atomic::fence(Ordering::SeqCst);
    }

    /// A pause inside a short spin.
    pub(crate) fn spin_hint() {
        std::hint::spin_loop();
    }
}

/// In a model every ordering and every fence can be taken away, one at a time.
#[cfg(all(test, loom))]
pub(crate) mod weaken;

#[cfg(loom)]
mod imp {
    #[cfg(test)]
    pub(crate) use super::weaken::{AtomicPtr, AtomicU32, AtomicU64};
    pub(crate) use loom::sync::atomic::Ordering;
    #[cfg(not(test))]
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

    #[cfg_attr(test, track_caller)]
    pub(crate) fn store_load_fence() {
        #[cfg(test)]
        if super::weaken::takes_fence_away() {
            return;
        }
        loom::sync::atomic::fence(Ordering::SeqCst);
    }

    pub(crate) fn spin_hint() {
        loom::thread::yield_now();
    }
}

pub(crate) use imp::*;

/// Locks a mutex; a panic under one of ours left no half-made state behind
/// (every critical section is a few plain moves), so poison is not an error.
#[cfg(not(loom))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`lock`], if nobody has it.
#[cfg(not(loom))]
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}
