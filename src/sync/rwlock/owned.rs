//! As the guards of [`RwLock`], but each keeps its lock alive. `T` is what the lock
//! guards, `U` the part of it that is lent.

#![expect(unsafe_code, reason = "lends what the lock guards")]

use std::sync::Arc;

use super::{ALL, RwLock};
use crate::sync::lent::{Exclusive, Shared, guards};

/// As [`RwLockReadGuard`](super::RwLockReadGuard), of a lock in an `Arc` that it
/// keeps alive. `T` is what the lock guards, `U` the part that may be read.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct OwnedRwLockReadGuard<T: ?Sized, U: ?Sized = T> {
    value: Shared<U, Hold<T>>,
}

/// As [`RwLockWriteGuard`](super::RwLockWriteGuard), of a lock in an `Arc` that it
/// keeps alive.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    value: Exclusive<T, Hold<T>>,
}

/// As [`RwLockMappedWriteGuard`](super::RwLockMappedWriteGuard), of a lock in an
/// `Arc` that it keeps alive. `T` is what the lock guards, `U` the part.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct OwnedRwLockMappedWriteGuard<T: ?Sized, U: ?Sized = T> {
    value: Exclusive<U, Hold<T>>,
}

/// Permits of a lock that it keeps alive; its drop gives them back.
struct Hold<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    count: usize,
}

impl<T: ?Sized> Hold<T> {
    /// A writer's, to a reader's.
    fn downgrade(&mut self) {
        // First, so that a waker that panics leaves the one permit to the drop.
        self.count = 1;
        self.lock.release(ALL - 1);
    }
}

impl<T: ?Sized> Drop for Hold<T> {
    fn drop(&mut self) {
        self.lock.release(self.count);
    }
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// For a reader that was let in.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> OwnedRwLockReadGuard<T> {
        let value = lock.value.get();
        let hold = Hold { lock, count: 1 };
        OwnedRwLockReadGuard {
            // SAFETY: the hold keeps the lock alive and where it is, and a writer would need
            // the hold's permit too.
            value: unsafe { Shared::new(value, hold) },
        }
    }
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockReadGuard<T, U> {
    /// The lock of `guard`.
    pub fn rwlock(guard: &Self) -> &Arc<RwLock<T>> {
        &guard.value.hold().lock
    }

    /// Keeps the lock for a part of the value alone; as
    /// [`RwLockReadGuard::map`](super::RwLockReadGuard::map).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gmp::sync::{OwnedRwLockReadGuard, RwLock};
    ///
    /// # gmp::block_on(async {
    /// let names = Arc::new(RwLock::new(vec!["first", "second"]));
    /// let guard = names.clone().read_owned().await;
    /// let second = OwnedRwLockReadGuard::try_map(guard, |names| names.get(1)).expect("two");
    /// let task = gmp::spawn(async move { second.len() });
    /// assert_eq!(task.await.expect("no panic"), 6);
    /// # });
    /// ```
    pub fn map<F, V>(guard: Self, f: F) -> OwnedRwLockReadGuard<T, V>
    where
        V: ?Sized,
        F: FnOnce(&U) -> &V,
    {
        OwnedRwLockReadGuard {
            value: guard.value.map(f),
        }
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<F, V>(guard: Self, f: F) -> Result<OwnedRwLockReadGuard<T, V>, Self>
    where
        V: ?Sized,
        F: FnOnce(&U) -> Option<&V>,
    {
        match guard.value.try_map(f) {
            Ok(value) => Ok(OwnedRwLockReadGuard { value }),
            Err(value) => Err(OwnedRwLockReadGuard { value }),
        }
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// For a writer that was let in.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> OwnedRwLockWriteGuard<T> {
        let value = lock.value.get();
        let hold = Hold { lock, count: ALL };
        OwnedRwLockWriteGuard {
            // SAFETY: the hold keeps the lock alive and where it is, and has all permits, so
            // there is no other guard.
            value: unsafe { Exclusive::new(value, hold) },
        }
    }

    /// The lock of `guard`.
    pub fn rwlock(guard: &Self) -> &Arc<RwLock<T>> {
        &guard.value.hold().lock
    }

    /// Keeps the lock for a part of the value alone; as
    /// [`RwLockWriteGuard::map`](super::RwLockWriteGuard::map).
    pub fn map<F, U>(guard: Self, f: F) -> OwnedRwLockMappedWriteGuard<T, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        OwnedRwLockMappedWriteGuard {
            value: guard.value.map(f),
        }
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<F, U>(guard: Self, f: F) -> Result<OwnedRwLockMappedWriteGuard<T, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match guard.value.try_map(f) {
            Ok(value) => Ok(OwnedRwLockMappedWriteGuard { value }),
            Err(value) => Err(OwnedRwLockWriteGuard { value }),
        }
    }

    /// The whole as a part, where one of both is asked for.
    pub fn into_mapped(guard: Self) -> OwnedRwLockMappedWriteGuard<T> {
        OwnedRwLockMappedWriteGuard { value: guard.value }
    }

    /// Makes it a read lock, with no writer in between.
    pub fn downgrade(self) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockWriteGuard::downgrade_map(self, |value| value)
    }

    /// Makes it a read lock that is kept for a part of the value alone; as
    /// [`RwLockWriteGuard::downgrade_map`](super::RwLockWriteGuard::downgrade_map).
    pub fn downgrade_map<F, U>(guard: Self, f: F) -> OwnedRwLockReadGuard<T, U>
    where
        U: ?Sized,
        F: FnOnce(&T) -> &U,
    {
        OwnedRwLockReadGuard {
            value: guard.value.share(f, Hold::downgrade),
        }
    }

    /// As [`downgrade_map`](Self::downgrade_map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, which is still a writer's, if there is none.
    pub fn try_downgrade_map<F, U>(guard: Self, f: F) -> Result<OwnedRwLockReadGuard<T, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&T) -> Option<&U>,
    {
        match guard.value.try_share(f, Hold::downgrade) {
            Ok(value) => Ok(OwnedRwLockReadGuard { value }),
            Err(value) => Err(OwnedRwLockWriteGuard { value }),
        }
    }
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockMappedWriteGuard<T, U> {
    /// The lock of `guard`.
    pub fn rwlock(guard: &Self) -> &Arc<RwLock<T>> {
        &guard.value.hold().lock
    }

    /// Keeps the lock for a part of the part alone.
    pub fn map<F, V>(guard: Self, f: F) -> OwnedRwLockMappedWriteGuard<T, V>
    where
        V: ?Sized,
        F: FnOnce(&mut U) -> &mut V,
    {
        OwnedRwLockMappedWriteGuard {
            value: guard.value.map(f),
        }
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<F, V>(guard: Self, f: F) -> Result<OwnedRwLockMappedWriteGuard<T, V>, Self>
    where
        V: ?Sized,
        F: FnOnce(&mut U) -> Option<&mut V>,
    {
        match guard.value.try_map(f) {
            Ok(value) => Ok(OwnedRwLockMappedWriteGuard { value }),
            Err(value) => Err(OwnedRwLockMappedWriteGuard { value }),
        }
    }
}

guards! {
    shared [T: ?Sized, U: ?Sized] OwnedRwLockReadGuard<T, U> => U;
    exclusive [T: ?Sized] OwnedRwLockWriteGuard<T> => T;
    exclusive [T: ?Sized, U: ?Sized] OwnedRwLockMappedWriteGuard<T, U> => U;
}
