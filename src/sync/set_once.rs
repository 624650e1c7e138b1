//! A value that somebody sets and others wait for.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::{Mutex, OnceLock};

use gmp_executor::WaitReason;

use super::wait::Wait;
use super::waiters::{Waiters, Wakers, lock};

/// A value that is set once, and that any number of tasks may wait for.
///
/// Those who wait make nothing themselves: for that see
/// [`OnceCell`](super::OnceCell).
///
/// ```
/// use gmp::sync::SetOnce;
///
/// static ADDRESS: SetOnce<String> = SetOnce::const_new();
///
/// # gmp::block_on(async {
/// let client = gmp::spawn(async { ADDRESS.wait().await.len() });
/// ADDRESS.set(String::from("localhost")).expect("nobody else sets it");
/// assert_eq!(client.await.expect("no panic"), 9);
/// assert!(ADDRESS.set(String::new()).is_err());
/// # });
/// ```
pub struct SetOnce<T> {
    value: OnceLock<T>,
    waiters: Mutex<Waiters<()>>,
}

impl<T> SetOnce<T> {
    /// Without a value. Works in a `static`.
    pub const fn new() -> SetOnce<T> {
        SetOnce {
            value: OnceLock::new(),
            waiters: Mutex::new(Waiters::new()),
        }
    }

    /// As [`SetOnce::new`], under the name that Tokio has for statics.
    pub const fn const_new() -> SetOnce<T> {
        SetOnce::new()
    }

    /// With a value, if there is one.
    pub fn new_with(value: Option<T>) -> SetOnce<T> {
        value.map_or_else(SetOnce::new, SetOnce::from)
    }

    /// Whether it has a value.
    pub fn initialized(&self) -> bool {
        self.get().is_some()
    }

    /// The value, if it was set.
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Sets the value, and wakes all who wait for it.
    ///
    /// # Errors
    /// With the value, if there is one already.
    pub fn set(&self, value: T) -> Result<(), SetOnceError<T>> {
        self.value.set(value).map_err(SetOnceError)?;
        // Who looks from now on finds it; the lock ends with this statement.
        let wakers = lock(&self.waiters).pop_all();
        wakers.wake();
        Ok(())
    }

    /// The value, if it was set.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Waits until there is a value.
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = &T> {
        Wait {
            state: &self.waiters,
            queue: |waiters| waiters,
            look: |_: &mut _, _| self.get().map(|value| (value, Wakers::default())),
            reason: WaitReason::CondWait,
            location: Location::caller(),
            place: None,
        }
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> SetOnce<T> {
        SetOnce::new()
    }
}

impl<T> From<T> for SetOnce<T> {
    fn from(value: T) -> SetOnce<T> {
        SetOnce {
            value: OnceLock::from(value),
            ..SetOnce::new()
        }
    }
}

impl<T: Clone> Clone for SetOnce<T> {
    fn clone(&self) -> SetOnce<T> {
        SetOnce::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for SetOnce<T> {
    fn eq(&self, other: &SetOnce<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for SetOnce<T> {}

impl<T: fmt::Debug> fmt::Debug for SetOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetOnce")
            .field("value", &self.get())
            .finish()
    }
}

/// The value was set before; this one comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetOnceError<T>(pub T);

impl<T> fmt::Display for SetOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value was set before")
    }
}

impl<T: fmt::Debug> Error for SetOnceError<T> {}
