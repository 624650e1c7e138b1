//! The door to shared memory: std's primitives, or loom's under `cfg(loom)`.
//!
//! Nothing else in this crate names `std::sync`.

#[cfg(loom)]
pub(crate) use once::OnceLock;
#[cfg(not(loom))]
pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

#[cfg(not(loom))]
use std::sync as imp;

#[cfg(loom)]
use loom::sync as imp;

pub(crate) type AtomicU64 = imp::atomic::AtomicU64;
pub(crate) type AtomicUsize = imp::atomic::AtomicUsize;
pub(crate) type Arc<T> = imp::Arc<T>;
pub(crate) type Guard<'a, T> = imp::MutexGuard<'a, T>;

/// A mutex that ignores poisoning: what it guards here is whole at every point where a panic can
/// leave.
pub(crate) struct Lock<T>(imp::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Lock<T> {
        Lock(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        match self.0.get_mut() {
            Ok(value) => value,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// Orders what this thread wrote before it against what it reads after it. Works only if the
/// partner fences as well.
pub(crate) fn store_load_fence() {
    imp::atomic::fence(imp::atomic::Ordering::SeqCst);
}

/// Orders the relaxed load before it against everything after it.
pub(crate) fn acquire_fence() {
    imp::atomic::fence(Acquire);
}

/// loom has no `OnceLock`: std's, with the ordering between `set` and `get` made visible to the
/// model.
#[cfg(loom)]
mod once {
    use loom::sync::Mutex;
    use loom::sync::atomic::{AtomicBool, Ordering};

    pub(crate) struct OnceLock<T> {
        value: std::sync::OnceLock<T>,
        setting: Mutex<()>,
        is_set: AtomicBool,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> OnceLock<T> {
            OnceLock {
                value: std::sync::OnceLock::new(),
                setting: Mutex::new(()),
                is_set: AtomicBool::new(false),
            }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            // ord: sees the value; pairs with set
            if self.is_set.load(Ordering::Acquire) {
                self.value.get()
            } else {
                None
            }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            let _setting = self.setting.lock();
            let done = self.value.set(value);
            // ord: publishes the value; pairs with get
            self.is_set.store(true, Ordering::Release);
            done
        }
    }
}
