//! The latest value of something, for any number of tasks that follow it.
//!
//! ```
//! use gmp::sync::watch;
//!
//! # gmp::block_on(async {
//! let (level, mut follower) = watch::channel(0);
//! let task = gmp::spawn(async move {
//!     // Waits for a change; values in between may be missed, the last never.
//!     while follower.changed().await.is_ok() {
//!         if *follower.borrow_and_update() == 3 {
//!             break;
//!         }
//!     }
//!     let last = *follower.borrow();
//!     last
//! });
//! for n in 1..=3 {
//!     level.send(n).expect("somebody follows");
//! }
//! assert_eq!(task.await.expect("no panic"), 3);
//! # });
//! ```

pub mod error;
mod receiver;
mod sender;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

pub use self::error::{RecvError, SendError};
pub use self::receiver::Receiver;
pub use self::sender::Sender;

use super::waiters::{Waiters, lock};

/// A value, which counts as seen, and one receiver.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

/// The locks are taken in this order: the value, then the state.
struct Shared<T> {
    value: RwLock<T>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How often the value was sent. Changes under the lock of the value too.
    version: u64,
    senders: usize,
    receivers: usize,
    /// Receivers that wait for a change.
    following: Waiters<()>,
    /// Senders that wait until nobody follows.
    leaving: Waiters<()>,
}

impl<T> Shared<T> {
    fn new(value: T) -> Arc<Shared<T>> {
        Arc::new(Shared {
            value: RwLock::new(value),
            state: Mutex::new(State {
                version: 0,
                senders: 1,
                receivers: 0,
                following: Waiters::new(),
                leaving: Waiters::new(),
            }),
        })
    }

    /// The value, and its version.
    fn read(&self) -> (RwLockReadGuard<'_, T>, u64) {
        // A panic of whoever changed the value is not ours to pass on.
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        let version = lock(&self.state).version;
        (value, version)
    }
}

/// The value, borrowed. While it lives every send waits *with its thread*: keep it
/// short, and not across an await (it is not `Send`).
pub struct Ref<'a, T> {
    value: RwLockReadGuard<'a, T>,
    changed: bool,
}

impl<T> Ref<'_, T> {
    /// Whether the receiver had not seen this value before.
    pub fn has_changed(&self) -> bool {
        self.changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ref")
            .field("value", &**self)
            .field("changed", &self.changed)
            .finish()
    }
}
