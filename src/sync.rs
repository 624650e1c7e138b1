//! Primitives for tasks that share something, or tell each other something.
//!
//! The shapes are Tokio's; the mutex and the wait group behave as Go's. All of
//! them work between tasks and threads of any kind, with no runtime around; a
//! task of this crate that waits in one shows in a dump where and for what.
//!
//! What has no `blocking_` method can be given to [`block_on`](crate::block_on), which
//! is all that those methods do: it works on any thread, and in tasks.
//!
//! Whoever waits longest is served first. Futures may be dropped at any time: what
//! was granted to one that is gone goes to the next.

mod barrier;
mod blocking;
pub mod broadcast;
mod lent;
pub mod mpsc;
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
mod rwlock;
mod semaphore;
mod set_once;
pub(crate) mod wait;
mod wait_group;
pub(crate) mod waiters;
pub mod watch;

pub use self::barrier::{Barrier, BarrierWaitResult};
pub use self::mutex::{
    MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard, TryLockError,
};
pub use self::notify::{Notified, Notify, OwnedNotified};
pub use self::once_cell::{OnceCell, SetError};
pub use self::rwlock::{
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};
pub use self::semaphore::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
};
pub use self::set_once::{SetOnce, SetOnceError};
pub use self::wait_group::WaitGroup;
