//! The turn of one task, and what it may reach during it.

#![expect(unsafe_code, reason = "lends what the lock guards")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::Mutex;

/// Exclusive access to the value of a [`Mutex`]; dropping it unlocks. It may be
/// held across an await, and dropped on another thread.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    // Shared with another thread it is a `&T` there; a `&Mutex<T>` alone is not.
    value: PhantomData<&'a mut T>,
}

/// As [`MutexGuard`], of a mutex in an `Arc` that it keeps alive.
///
/// ```
/// use std::sync::Arc;
/// use gmp::sync::Mutex;
///
/// # gmp::block_on(async {
/// let names = Arc::new(Mutex::new(vec!["first"]));
/// let mut guard = names.clone().lock_owned().await;
/// let task = gmp::spawn(async move {
///     guard.push("second");
/// });
/// task.await.expect("no panic");
/// assert_eq!(names.lock().await.len(), 2);
/// # });
/// ```
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct OwnedMutexGuard<T: ?Sized> {
    mutex: Arc<Mutex<T>>,
    value: PhantomData<T>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// For whoever has the turn.
    pub(super) fn new(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        MutexGuard {
            mutex,
            value: PhantomData,
        }
    }

    /// The mutex of `guard`.
    pub fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.mutex
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// For whoever has the turn.
    pub(super) fn new(mutex: Arc<Mutex<T>>) -> OwnedMutexGuard<T> {
        OwnedMutexGuard {
            mutex,
            value: PhantomData,
        }
    }

    /// The mutex of `guard`.
    pub fn mutex(guard: &Self) -> &Arc<Mutex<T>> {
        &guard.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a guard is made for the one who has the turn and ends it when it
        // is dropped, so no other guard reaches the value meanwhile.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; and this guard itself is borrowed alone.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.mutex.turn.unlock();
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: as for `MutexGuard`: this guard has the turn until it is dropped.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; and this guard itself is borrowed alone.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        self.mutex.turn.unlock();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
