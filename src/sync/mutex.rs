//! Exclusive access to a value, across awaits.

#![expect(unsafe_code, reason = "lends what the lock guards")]

mod guard;
mod mapped;
pub(super) mod turn;

use std::cell::UnsafeCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use gmp_executor::held::Guard;

pub use self::guard::{MutexGuard, OwnedMutexGuard};
pub use self::mapped::{MappedMutexGuard, OwnedMappedMutexGuard};

use self::turn::Turn;

/// Exclusive access to a value; its guard may be held across an await.
///
/// It works as Go's `sync.Mutex` (rule R-G-14): in general whoever comes to a
/// free lock has it, which costs the least; a task that waits for more than 1 ms
/// is handed the lock itself, and until nobody starves the waiters go first.
/// Waiters are served in the order in which they came.
///
/// There is no poisoning: a panic of a task that holds the guard unlocks, and the
/// next one finds the value as it was left.
///
/// ```
/// use std::sync::Arc;
/// use gmp::sync::Mutex;
///
/// # gmp::block_on(async {
/// let total = Arc::new(Mutex::new(0));
/// let tasks: Vec<_> = (0..10)
///     .map(|n| {
///         let total = total.clone();
///         gmp::spawn(async move {
///             let mut total = total.lock().await;
///             let before = *total;
///             gmp::task::yield_now().await;
///             *total = before + n;
///         })
///     })
///     .collect();
/// for task in tasks {
///     task.await.expect("no panic");
/// }
/// assert_eq!(*total.lock().await, 45);
/// # });
/// ```
pub struct Mutex<T: ?Sized> {
    turn: Turn,
    value: UnsafeCell<T>,
}

// SAFETY: at most one guard at a time reaches the value, on whatever thread, and
// may take it away by a swap: that is sending it.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free mutex. Works in a `static`.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            turn: Turn::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// As [`Mutex::new`], under the name that Tokio has for statics.
    pub const fn const_new(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    ///
    /// # Cancel safety
    /// Yes; the place in the queue is lost, and a lock that was handed over
    /// already goes to the next.
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> {
        self.lock_at(Location::caller())
    }

    pub(super) async fn lock_at(&self, location: &'static Location<'static>) -> MutexGuard<'_, T> {
        self.turn.lock(location, Guard::Borrowed).await;
        MutexGuard::new(self)
    }

    /// As [`Mutex::lock`]; the guard keeps the mutex alive.
    ///
    /// # Cancel safety
    /// As [`Mutex::lock`].
    #[track_caller]
    pub fn lock_owned(self: Arc<Self>) -> impl Future<Output = OwnedMutexGuard<T>> {
        let location = Location::caller();
        async move {
            self.turn.lock(location, Guard::Owned).await;
            OwnedMutexGuard::new(self)
        }
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// If it is held.
    #[track_caller]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        if self.turn.try_lock(Location::caller(), Guard::Borrowed) {
            Ok(MutexGuard::new(self))
        } else {
            Err(TryLockError)
        }
    }

    /// As [`Mutex::try_lock`]; the guard keeps the mutex alive.
    ///
    /// # Errors
    /// If it is held.
    #[track_caller]
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        if self.turn.try_lock(Location::caller(), Guard::Owned) {
            Ok(OwnedMutexGuard::new(self))
        } else {
            Err(TryLockError)
        }
    }

    /// The value, without a lock: nobody else has the mutex.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(value) => text.field("value", &&*value),
            Err(TryLockError) => text.field("value", &format_args!("<locked>")),
        };
        text.finish()
    }
}

/// The lock is held by somebody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TryLockError;

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is held by somebody else")
    }
}

impl Error for TryLockError {}
