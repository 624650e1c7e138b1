//! Tokio's `blocking_` methods: [`block_on`] around the future, in one word. There is no
//! place from which they are forbidden: in a task they cost it its P for the while.

use std::sync::Arc;

use super::{
    Mutex, MutexGuard, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard, broadcast, oneshot,
};
use crate::block_on;

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock as [`Mutex::lock`], and blocks the thread meanwhile.
    ///
    /// ```
    /// let total = gmp::sync::Mutex::new(0);
    /// std::thread::scope(|threads| {
    ///     for _ in 0..4 {
    ///         threads.spawn(|| *total.blocking_lock() += 1);
    ///     }
    /// });
    /// assert_eq!(total.into_inner(), 4);
    /// ```
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        block_on(self.lock())
    }

    /// Waits for the lock as [`Mutex::lock_owned`], and blocks the thread meanwhile.
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        block_on(self.lock_owned())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits as [`RwLock::read`], and blocks the thread meanwhile.
    ///
    /// ```
    /// let names = gmp::sync::RwLock::new(vec!["a"]);
    /// names.blocking_write().push("b");
    /// assert_eq!(names.blocking_read().len(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        block_on(self.read())
    }

    /// Waits as [`RwLock::write`], and blocks the thread meanwhile.
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        block_on(self.write())
    }

    /// Waits as [`RwLock::read_owned`], and blocks the thread meanwhile.
    #[track_caller]
    pub fn blocking_read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        block_on(self.read_owned())
    }

    /// Waits as [`RwLock::write_owned`], and blocks the thread meanwhile.
    #[track_caller]
    pub fn blocking_write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        block_on(self.write_owned())
    }
}

impl<T> oneshot::Receiver<T> {
    /// Waits for the value, and blocks the thread meanwhile.
    ///
    /// # Errors
    /// If the sender was dropped without a value.
    ///
    /// ```
    /// let (tx, rx) = gmp::sync::oneshot::channel();
    /// let thread = std::thread::spawn(move || rx.blocking_recv());
    /// tx.send(7).expect("the receiver lives");
    /// assert_eq!(thread.join().expect("no panic"), Ok(7));
    /// ```
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, oneshot::error::RecvError> {
        block_on(self)
    }
}

impl<T: Clone> broadcast::Receiver<T> {
    /// Receives as [`recv`](Self::recv), and blocks the thread meanwhile.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, broadcast::error::RecvError> {
        block_on(self.recv())
    }
}
