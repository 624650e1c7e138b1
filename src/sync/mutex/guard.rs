//! The turn of one task, and what it may reach during it.

#![expect(unsafe_code, reason = "lends what the lock guards")]

use std::marker::PhantomData;
use std::sync::Arc;

use super::Mutex;
use super::mapped::{MappedMutexGuard, OwnedMappedMutexGuard};
use super::turn::Turn;
use crate::sync::lent::{Exclusive, guards};

/// Exclusive access to the value of a [`Mutex`]; dropping it unlocks. It may be
/// held across an await, and dropped on another thread.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    value: Exclusive<T, Hold<'a>>,
    lent: PhantomData<&'a mut T>,
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
    value: Exclusive<T, OwnedHold<T>>,
}

/// A turn; its drop ends it.
pub(super) struct Hold<'a>(&'a Turn);

/// As [`Hold`], of a mutex that it keeps alive.
pub(super) struct OwnedHold<T: ?Sized>(Arc<Mutex<T>>);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl<T: ?Sized> Drop for OwnedHold<T> {
    fn drop(&mut self) {
        self.0.turn.unlock();
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// For whoever has the turn.
    pub(super) fn new(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        let hold = Hold(&mutex.turn);
        MutexGuard {
            mutex,
            // SAFETY: the mutex is borrowed for longer than the hold lives, and nobody
            // else has the turn until the hold ends it.
            value: unsafe { Exclusive::new(mutex.value.get(), hold) },
            lent: PhantomData,
        }
    }

    /// The mutex of `guard`.
    pub fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.mutex
    }

    /// Keeps the lock for a part of the value alone.
    ///
    /// ```
    /// use gmp::sync::{Mutex, MutexGuard};
    ///
    /// # gmp::block_on(async {
    /// let pair = Mutex::new((1, "one"));
    /// let mut number = MutexGuard::map(pair.lock().await, |pair| &mut pair.0);
    /// *number += 1;
    /// assert!(pair.try_lock().is_err());
    /// drop(number);
    /// assert_eq!(*pair.lock().await, (2, "one"));
    /// # });
    /// ```
    pub fn map<U, F>(guard: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        MappedMutexGuard::new(guard.value.map(f))
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    ///
    /// ```
    /// use gmp::sync::{Mutex, MutexGuard};
    ///
    /// # gmp::block_on(async {
    /// let names = Mutex::new(vec![String::from("first")]);
    /// let guard = names.lock().await;
    /// let guard = MutexGuard::try_map(guard, |names| names.get_mut(1)).expect_err("one name");
    /// let mut first = MutexGuard::try_map(guard, |names| names.first_mut()).expect("one name");
    /// first.push('!');
    /// # });
    /// ```
    pub fn try_map<U, F>(guard: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let mutex = guard.mutex;
        match guard.value.try_map(f) {
            Ok(part) => Ok(MappedMutexGuard::new(part)),
            Err(value) => Err(MutexGuard {
                mutex,
                value,
                lent: PhantomData,
            }),
        }
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// For whoever has the turn.
    pub(super) fn new(mutex: Arc<Mutex<T>>) -> OwnedMutexGuard<T> {
        let value = mutex.value.get();
        let hold = OwnedHold(mutex);
        OwnedMutexGuard {
            // SAFETY: the hold keeps the mutex alive and where it is, and nobody else has
            // the turn until the hold ends it.
            value: unsafe { Exclusive::new(value, hold) },
        }
    }

    /// The mutex of `guard`.
    pub fn mutex(guard: &Self) -> &Arc<Mutex<T>> {
        &guard.value.hold().0
    }

    /// Keeps the lock for a part of the value alone; as [`MutexGuard::map`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gmp::sync::{Mutex, OwnedMutexGuard};
    ///
    /// # gmp::block_on(async {
    /// let pair = Arc::new(Mutex::new((1, "one")));
    /// let guard = pair.clone().lock_owned().await;
    /// let mut number = OwnedMutexGuard::map(guard, |pair| &mut pair.0);
    /// let task = gmp::spawn(async move { *number += 1 });
    /// task.await.expect("no panic");
    /// assert_eq!(*pair.lock().await, (2, "one"));
    /// # });
    /// ```
    pub fn map<U, F>(guard: Self, f: F) -> OwnedMappedMutexGuard<T, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        OwnedMappedMutexGuard::new(guard.value.map(f))
    }

    /// As [`map`](Self::map), for a part that there may not be; as
    /// [`MutexGuard::try_map`].
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<U, F>(guard: Self, f: F) -> Result<OwnedMappedMutexGuard<T, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match guard.value.try_map(f) {
            Ok(part) => Ok(OwnedMappedMutexGuard::new(part)),
            Err(value) => Err(OwnedMutexGuard { value }),
        }
    }
}

guards! {
    exclusive [T: ?Sized] MutexGuard<'_, T> => T;
    exclusive [T: ?Sized] OwnedMutexGuard<T> => T;
}
