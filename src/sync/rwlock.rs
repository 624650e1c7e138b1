//! Shared access for readers, exclusive access for a writer, across awaits.

#![expect(unsafe_code, reason = "lends what the lock guards")]

mod guard;
mod owned;

use std::cell::UnsafeCell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use gmp_executor::WaitReason;
use gmp_executor::held::Guard;

pub use self::guard::{RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard};
pub use self::owned::{OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use super::mutex::TryLockError;
use super::semaphore::permits::Permits;

/// A reader takes one of as many permits, a writer all of them.
const ALL: usize = (u32::MAX >> 3) as usize;

/// Access to a value for any number of readers or for one writer; its guards may
/// be held across an await.
///
/// A writer that waits keeps new readers out, as in Go's `sync.RWMutex`, so that
/// readers who come and go cannot starve it; and who waits longest goes first.
/// It follows that a task must not take a second read lock while it holds one: a
/// writer between the two stops both for ever.
///
/// There is no poisoning: a panic of a task that holds a guard unlocks, and the
/// next one finds the value as it was left.
///
/// ```
/// use gmp::sync::RwLock;
///
/// # gmp::block_on(async {
/// let config = RwLock::new(String::from("old"));
/// {
///     let (one, two) = (config.read().await, config.read().await);
///     assert_eq!(one.len(), two.len());
///     assert!(config.try_write().is_err());
/// }
/// *config.write().await = String::from("new");
/// assert_eq!(*config.read().await, "new");
/// # });
/// ```
pub struct RwLock<T: ?Sized> {
    permits: Permits,
    value: UnsafeCell<T>,
}

// SAFETY: a writer reaches the value alone and may take it away, on whatever
// thread: that needs Send; readers on several threads share it: that needs Sync.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A free lock. Works in a `static`.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock {
            permits: Permits::of_lock(ALL),
            value: UnsafeCell::new(value),
        }
    }

    /// As [`RwLock::new`], under the name that Tokio has for statics.
    pub const fn const_new(value: T) -> RwLock<T> {
        RwLock::new(value)
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no writer has the lock or waits for it.
    ///
    /// # Cancel safety
    /// Yes; the place in the queue is lost, and a lock that was granted already
    /// is given back.
    #[track_caller]
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> {
        let location = Location::caller();
        async move {
            self.acquire(1, WaitReason::RwMutexRLock, location, Guard::Borrowed)
                .await;
            RwLockReadGuard::new(self)
        }
    }

    /// As [`RwLock::read`]; the guard keeps the lock alive.
    ///
    /// # Cancel safety
    /// As [`RwLock::read`].
    #[track_caller]
    pub fn read_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockReadGuard<T>> {
        let location = Location::caller();
        async move {
            self.acquire(1, WaitReason::RwMutexRLock, location, Guard::Owned)
                .await;
            OwnedRwLockReadGuard::new(self)
        }
    }

    /// Waits until nobody has the lock.
    ///
    /// # Cancel safety
    /// Yes; the place in the queue is lost, and a lock that was granted already
    /// is given back.
    #[track_caller]
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> {
        let location = Location::caller();
        async move {
            self.acquire(ALL, WaitReason::RwMutexLock, location, Guard::Borrowed)
                .await;
            RwLockWriteGuard::new(self)
        }
    }

    /// As [`RwLock::write`]; the guard keeps the lock alive.
    ///
    /// # Cancel safety
    /// As [`RwLock::write`].
    #[track_caller]
    pub fn write_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockWriteGuard<T>> {
        let location = Location::caller();
        async move {
            self.acquire(ALL, WaitReason::RwMutexLock, location, Guard::Owned)
                .await;
            OwnedRwLockWriteGuard::new(self)
        }
    }

    /// Takes a read lock if that needs no waiting.
    ///
    /// # Errors
    /// If a writer has the lock or anybody waits for it.
    #[track_caller]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.try_acquire(1, Guard::Borrowed)?;
        Ok(RwLockReadGuard::new(self))
    }

    /// As [`RwLock::try_read`]; the guard keeps the lock alive.
    ///
    /// # Errors
    /// As [`RwLock::try_read`].
    #[track_caller]
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        self.try_acquire(1, Guard::Owned)?;
        Ok(OwnedRwLockReadGuard::new(self))
    }

    /// Takes the write lock if that needs no waiting.
    ///
    /// # Errors
    /// If anybody has the lock or waits for it.
    #[track_caller]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.try_acquire(ALL, Guard::Borrowed)?;
        Ok(RwLockWriteGuard::new(self))
    }

    /// As [`RwLock::try_write`]; the guard keeps the lock alive.
    ///
    /// # Errors
    /// As [`RwLock::try_write`].
    #[track_caller]
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        self.try_acquire(ALL, Guard::Owned)?;
        Ok(OwnedRwLockWriteGuard::new(self))
    }

    /// The value, without a lock: nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    async fn acquire(
        &self,
        permits: usize,
        reason: WaitReason,
        location: &'static Location<'static>,
        guard: Guard,
    ) {
        let granted = self.permits.acquire(permits, reason, location, guard).await;
        assert!(granted, "the permits of a lock are never closed");
    }

    #[track_caller]
    fn try_acquire(&self, permits: usize, guard: Guard) -> Result<(), TryLockError> {
        let granted = self.permits.try_acquire(permits, guard);
        granted.map_err(|_| TryLockError)
    }

    /// Ends a reader's turn, for 1, a writer's, for all, or makes one of the other.
    fn release(&self, permits: usize) {
        self.permits.release(permits, ALL);
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(value) => text.field("value", &&*value),
            Err(TryLockError) => text.field("value", &format_args!("<locked>")),
        };
        text.finish()
    }
}
