//! The turn of one task that wants a part of the value.

use std::marker::PhantomData;

use super::guard::{Hold, OwnedHold};
use crate::sync::lent::{Exclusive, guards};

/// Exclusive access to a part of what a [`Mutex`](super::Mutex) guards, from
/// [`MutexGuard::map`](super::MutexGuard::map). The whole is locked until it is
/// dropped; reports of tasks that wait for each other know it as the guard that it
/// was.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    value: Exclusive<T, Hold<'a>>,
    lent: PhantomData<&'a mut T>,
}

/// As [`MappedMutexGuard`], of a mutex in an `Arc` that it keeps alive; from
/// [`OwnedMutexGuard::map`](super::OwnedMutexGuard::map). `T` is what the mutex
/// guards, `U` is the part.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct OwnedMappedMutexGuard<T: ?Sized, U: ?Sized = T> {
    value: Exclusive<U, OwnedHold<T>>,
}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    pub(super) fn new(value: Exclusive<T, Hold<'a>>) -> MappedMutexGuard<'a, T> {
        MappedMutexGuard {
            value,
            lent: PhantomData,
        }
    }

    /// Keeps the lock for a part of the part alone.
    ///
    /// ```
    /// use gmp::sync::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// # gmp::block_on(async {
    /// let nested = Mutex::new(((1, 2), 3));
    /// let pair = MutexGuard::map(nested.lock().await, |nested| &mut nested.0);
    /// let mut second = MappedMutexGuard::map(pair, |pair| &mut pair.1);
    /// *second = 5;
    /// drop(second);
    /// assert_eq!(nested.into_inner(), ((1, 5), 3));
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
    pub fn try_map<U, F>(guard: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let mapped = guard.value.try_map(f);
        mapped
            .map(MappedMutexGuard::new)
            .map_err(MappedMutexGuard::new)
    }
}

impl<T: ?Sized, U: ?Sized> OwnedMappedMutexGuard<T, U> {
    pub(super) fn new(value: Exclusive<U, OwnedHold<T>>) -> OwnedMappedMutexGuard<T, U> {
        OwnedMappedMutexGuard { value }
    }

    /// Keeps the lock for a part of the part alone; as [`MappedMutexGuard::map`].
    pub fn map<V, F>(guard: Self, f: F) -> OwnedMappedMutexGuard<T, V>
    where
        V: ?Sized,
        F: FnOnce(&mut U) -> &mut V,
    {
        OwnedMappedMutexGuard::new(guard.value.map(f))
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<V, F>(guard: Self, f: F) -> Result<OwnedMappedMutexGuard<T, V>, Self>
    where
        V: ?Sized,
        F: FnOnce(&mut U) -> Option<&mut V>,
    {
        let mapped = guard.value.try_map(f);
        mapped
            .map(OwnedMappedMutexGuard::new)
            .map_err(OwnedMappedMutexGuard::new)
    }
}

guards! {
    exclusive [T: ?Sized] MappedMutexGuard<'_, T> => T;
    exclusive [T: ?Sized, U: ?Sized] OwnedMappedMutexGuard<T, U> => U;
}
