//! What a reader and a writer may reach during their turns.

#![expect(unsafe_code, reason = "lends what the lock guards")]

use std::marker::PhantomData;

use super::{ALL, RwLock};
use crate::sync::lent::{Exclusive, Shared, guards};
use crate::sync::semaphore::permits::Permits;

/// Shared access to the value of a [`RwLock`], or to a part of it; dropping it ends
/// the access. It may be held across an await, and dropped on another thread.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    value: Shared<T, Hold<'a>>,
    lent: PhantomData<&'a T>,
}

/// Exclusive access to the value of a [`RwLock`]; dropping it ends the access. It
/// may be held across an await, and dropped on another thread.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    value: Exclusive<T, Hold<'a>>,
    /// Not a `&mut T`: a downgrade on another thread leaves readers on both.
    lent: PhantomData<&'a RwLock<T>>,
}

/// Exclusive access to a part of the value of a [`RwLock`], from
/// [`RwLockWriteGuard::map`]. It cannot become a read lock: what is behind a `&mut`
/// alone, as the number of an atomic, readers of the whole might change.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct RwLockMappedWriteGuard<'a, T: ?Sized> {
    value: Exclusive<T, Hold<'a>>,
    lent: PhantomData<&'a mut T>,
}

/// Permits of a lock; its drop gives them back.
pub(super) struct Hold<'a> {
    permits: &'a Permits,
    count: usize,
}

impl Hold<'_> {
    /// A writer's, to a reader's.
    fn downgrade(&mut self) {
        // First, so that a waker that panics leaves the one permit to the drop.
        self.count = 1;
        self.permits.release(ALL - 1, ALL);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.permits.release(self.count, ALL);
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// For a reader that was let in.
    pub(super) fn new(lock: &'a RwLock<T>) -> RwLockReadGuard<'a, T> {
        let hold = Hold {
            permits: &lock.permits,
            count: 1,
        };
        // SAFETY: the lock is borrowed for longer than the hold lives, and a writer
        // would need the hold's permit too.
        RwLockReadGuard::of(unsafe { Shared::new(lock.value.get(), hold) })
    }

    fn of(value: Shared<T, Hold<'a>>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard {
            value,
            lent: PhantomData,
        }
    }

    /// Keeps the lock for a part of the value alone.
    ///
    /// ```
    /// use gmp::sync::{RwLock, RwLockReadGuard};
    ///
    /// # gmp::block_on(async {
    /// let pair = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(pair.read().await, |pair| pair.1);
    /// assert!(pair.try_write().is_err());
    /// assert_eq!(&*name, "one");
    /// # });
    /// ```
    pub fn map<F, U>(guard: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&T) -> &U,
    {
        RwLockReadGuard::of(guard.value.map(f))
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<F, U>(guard: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&T) -> Option<&U>,
    {
        let mapped = guard.value.try_map(f);
        mapped.map(RwLockReadGuard::of).map_err(RwLockReadGuard::of)
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// For a writer that was let in.
    pub(super) fn new(lock: &'a RwLock<T>) -> RwLockWriteGuard<'a, T> {
        let hold = Hold {
            permits: &lock.permits,
            count: ALL,
        };
        // SAFETY: the lock is borrowed for longer than the hold lives, and the hold has
        // all permits, so there is no other guard.
        RwLockWriteGuard::of(unsafe { Exclusive::new(lock.value.get(), hold) })
    }

    fn of(value: Exclusive<T, Hold<'a>>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard {
            value,
            lent: PhantomData,
        }
    }

    /// Keeps the lock for a part of the value alone.
    ///
    /// ```
    /// use gmp::sync::{RwLock, RwLockWriteGuard};
    ///
    /// # gmp::block_on(async {
    /// let pair = RwLock::new((1, "one"));
    /// let mut number = RwLockWriteGuard::map(pair.write().await, |pair| &mut pair.0);
    /// *number += 1;
    /// assert!(pair.try_read().is_err());
    /// drop(number);
    /// assert_eq!(*pair.read().await, (2, "one"));
    /// # });
    /// ```
    pub fn map<F, U>(guard: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        RwLockMappedWriteGuard::of(guard.value.map(f))
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<F, U>(guard: Self, f: F) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let mapped = guard.value.try_map(f);
        mapped
            .map(RwLockMappedWriteGuard::of)
            .map_err(RwLockWriteGuard::of)
    }

    /// The whole as a part, where one of both is asked for.
    pub fn into_mapped(guard: Self) -> RwLockMappedWriteGuard<'a, T> {
        RwLockMappedWriteGuard::of(guard.value)
    }

    /// Makes it a read lock, with no writer in between.
    ///
    /// ```
    /// use gmp::sync::RwLock;
    ///
    /// # gmp::block_on(async {
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write().await;
    /// *writer = 2;
    /// let reader = writer.downgrade();
    /// assert_eq!(*lock.read().await, *reader);
    /// # });
    /// ```
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        RwLockWriteGuard::downgrade_map(self, |value| value)
    }

    /// Makes it a read lock that is kept for a part of the value alone. Other readers
    /// are let in after `f`.
    ///
    /// ```
    /// use gmp::sync::{RwLock, RwLockWriteGuard};
    ///
    /// # gmp::block_on(async {
    /// let pair = RwLock::new((1, "one"));
    /// let mut writer = pair.write().await;
    /// writer.0 = 2;
    /// let number = RwLockWriteGuard::downgrade_map(writer, |pair| &pair.0);
    /// assert_eq!((*number, *pair.read().await), (2, (2, "one")));
    /// # });
    /// ```
    pub fn downgrade_map<F, U>(guard: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&T) -> &U,
    {
        RwLockReadGuard::of(guard.value.share(f, Hold::downgrade))
    }

    /// As [`downgrade_map`](Self::downgrade_map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, which is still a writer's, if there is none.
    pub fn try_downgrade_map<F, U>(guard: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&T) -> Option<&U>,
    {
        let mapped = guard.value.try_share(f, Hold::downgrade);
        mapped
            .map(RwLockReadGuard::of)
            .map_err(RwLockWriteGuard::of)
    }
}

impl<'a, T: ?Sized> RwLockMappedWriteGuard<'a, T> {
    fn of(value: Exclusive<T, Hold<'a>>) -> RwLockMappedWriteGuard<'a, T> {
        RwLockMappedWriteGuard {
            value,
            lent: PhantomData,
        }
    }

    /// Keeps the lock for a part of the part alone.
    pub fn map<F, U>(guard: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        RwLockMappedWriteGuard::of(guard.value.map(f))
    }

    /// As [`map`](Self::map), for a part that there may not be.
    ///
    /// # Errors
    /// With the guard, if there is none.
    pub fn try_map<F, U>(guard: Self, f: F) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let mapped = guard.value.try_map(f);
        mapped
            .map(RwLockMappedWriteGuard::of)
            .map_err(RwLockMappedWriteGuard::of)
    }
}

guards! {
    shared [T: ?Sized] RwLockReadGuard<'_, T> => T;
    exclusive [T: ?Sized] RwLockWriteGuard<'_, T> => T;
    exclusive [T: ?Sized] RwLockMappedWriteGuard<'_, T> => T;
}
