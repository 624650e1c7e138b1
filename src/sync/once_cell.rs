//! A value that is made once, by an async function.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::OnceLock;

use super::Mutex;

/// A value that is set once: by the first task that needs it, while the others
/// that need it wait.
///
/// ```
/// use gmp::sync::OnceCell;
///
/// static CONFIG: OnceCell<String> = OnceCell::const_new();
///
/// # gmp::block_on(async {
/// async fn load() -> String {
///     gmp::task::yield_now().await;
///     String::from("loaded")
/// }
/// assert_eq!(CONFIG.get_or_init(load).await, "loaded");
/// assert_eq!(CONFIG.get().map(String::as_str), Some("loaded"));
/// # });
/// ```
pub struct OnceCell<T> {
    value: OnceLock<T>,
    /// Held by whoever makes the value.
    making: Mutex<()>,
}

impl<T> OnceCell<T> {
    /// Without a value. Works in a `static`.
    pub const fn new() -> OnceCell<T> {
        OnceCell {
            value: OnceLock::new(),
            making: Mutex::new(()),
        }
    }

    /// As [`OnceCell::new`], under the name that Tokio has for statics.
    pub const fn const_new() -> OnceCell<T> {
        OnceCell::new()
    }

    /// With a value, if there is one.
    pub fn new_with(value: Option<T>) -> OnceCell<T> {
        value.map_or_else(OnceCell::new, OnceCell::from)
    }

    /// Whether it has a value.
    pub fn initialized(&self) -> bool {
        self.value.get().is_some()
    }

    /// The value, if it was set.
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if it was set.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// The value, if it was set.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out; the cell can be set again.
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }

    /// Sets the value.
    ///
    /// # Errors
    /// With the value, if there is one already or one is being made.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.making.try_lock() {
            Ok(_making) => self
                .value
                .set(value)
                .map_err(SetError::AlreadyInitializedError),
            Err(_) if self.initialized() => Err(SetError::AlreadyInitializedError(value)),
            Err(_) => Err(SetError::InitializingError(value)),
        }
    }

    /// The value; if there is none, what `f` makes. One `f` runs at a time, and
    /// the others wait for it.
    ///
    /// # Cancel safety
    /// Yes: if the future is dropped or panics while its `f` runs, the next one
    /// that waits runs its own. If `f` asks the same cell it waits for ever.
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, f: F) -> impl Future<Output = &T>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let location = Location::caller();
        async move {
            if let Some(value) = self.value.get() {
                return value;
            }
            let _making = self.making.lock_at(location).await;
            if let Some(value) = self.value.get() {
                return value;
            }
            let value = f().await;
            self.value.get_or_init(|| value)
        }
    }

    /// As [`OnceCell::get_or_init`], with an `f` that may fail.
    ///
    /// # Errors
    /// With that of `f`; the cell stays empty, and the next one that waits runs
    /// its own.
    ///
    /// # Cancel safety
    /// As [`OnceCell::get_or_init`].
    #[track_caller]
    pub fn get_or_try_init<E, F, Fut>(&self, f: F) -> impl Future<Output = Result<&T, E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let location = Location::caller();
        async move {
            if let Some(value) = self.value.get() {
                return Ok(value);
            }
            let _making = self.making.lock_at(location).await;
            if let Some(value) = self.value.get() {
                return Ok(value);
            }
            let value = f().await?;
            Ok(self.value.get_or_init(|| value))
        }
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> OnceCell<T> {
        OnceCell {
            value: OnceLock::from(value),
            making: Mutex::new(()),
        }
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> OnceCell<T> {
        OnceCell::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &OnceCell<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCell")
            .field("value", &self.get())
            .finish()
    }
}

/// Why a [`OnceCell`] was not set; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetError<T> {
    /// It has a value.
    AlreadyInitializedError(T),
    /// Its value is being made.
    InitializingError(T),
}

impl<T> SetError<T> {
    /// Whether it has a value.
    pub fn is_already_init_err(&self) -> bool {
        matches!(self, SetError::AlreadyInitializedError(_))
    }

    /// Whether its value is being made.
    pub fn is_initializing_err(&self) -> bool {
        matches!(self, SetError::InitializingError(_))
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadyInitializedError(_) => "the cell has a value",
            SetError::InitializingError(_) => "the cell's value is being made",
        })
    }
}

impl<T: fmt::Debug> Error for SetError<T> {}
