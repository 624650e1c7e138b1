//! Values that belong to a task.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project::{pin_project, pinned_drop};

/// Declares values that each task has for itself.
///
/// ```
/// gmp::task_local! {
///     /// The request that is being served.
///     static REQUEST: u64;
/// }
///
/// # gmp::block_on(async {
/// let task = gmp::spawn(REQUEST.scope(7, async {
///     gmp::task::yield_now().await;
///     REQUEST.get()
/// }));
/// assert_eq!(task.await.expect("no panic"), 7);
/// assert!(REQUEST.try_get().is_err());
/// # });
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty; $($rest:tt)*) => {
        $crate::task_local!($(#[$attr])* $vis static $name: $t);
        $crate::task_local!($($rest)*);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty) => {
        $(#[$attr])*
        $vis static $name: $crate::task::LocalKey<$t> = {
            ::std::thread_local! {
                static SLOT: ::std::cell::RefCell<::std::option::Option<$t>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }
            $crate::task::LocalKey::__new(&SLOT)
        };
    };
}

/// The key of a value that each task has for itself; made by
/// [`task_local!`](crate::task_local).
///
/// The value lives in the future that [`LocalKey::scope`] returns and is in the
/// thread's place while that future is polled or dropped: a poll stays on its
/// thread, whatever happens to its P. A task that is spawned inside has no value,
/// unless it is spawned with [`LocalKey::inherit`].
pub struct LocalKey<T: 'static> {
    slot: &'static thread::LocalKey<RefCell<Option<T>>>,
}

impl<T> LocalKey<T> {
    #[doc(hidden)]
    pub const fn __new(slot: &'static thread::LocalKey<RefCell<Option<T>>>) -> LocalKey<T> {
        LocalKey { slot }
    }

    /// Runs `future` with the value.
    ///
    /// # Cancel safety
    /// As `future`: the value is there while it is dropped.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> LocalScope<T, F> {
        LocalScope {
            key: self,
            value: Some(value),
            future: Some(future),
        }
    }

    /// Runs `f` with the value.
    ///
    /// # Panics
    /// If it is called while the value is borrowed by [`LocalKey::with`]; or with
    /// the panic of `f`.
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        self.swapped(&mut value, f)
    }

    /// Looks at the value of the running task.
    ///
    /// # Panics
    /// Outside a scope; and with the panic of `f`.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).unwrap_or_else(|_| no_value())
    }

    /// As [`LocalKey::with`].
    ///
    /// # Errors
    /// Outside a scope.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let looked = self.slot.try_with(|slot| {
            let value = slot.borrow();
            value.as_ref().map(f)
        });
        looked.ok().flatten().ok_or(AccessError(()))
    }

    /// Puts the value in the thread's place while `f` runs, and takes it back.
    #[track_caller]
    fn swapped<R>(&'static self, value: &mut Option<T>, f: impl FnOnce() -> R) -> R {
        struct Back<'a, T: 'static>(&'static LocalKey<T>, &'a mut Option<T>);
        impl<T> Drop for Back<'_, T> {
            fn drop(&mut self) {
                self.0
                    .slot
                    .with(|slot| mem::swap(&mut *slot.borrow_mut(), self.1));
            }
        }
        self.slot.with(|slot| match slot.try_borrow_mut() {
            Ok(mut place) => mem::swap(&mut *place, value),
            Err(_) => panic!(
                "a task-local value cannot be replaced inside LocalKey::with: get a copy of it first"
            ),
        });
        let _back = Back(self, value);
        f()
    }
}

impl<T: Clone> LocalKey<T> {
    /// A copy of the value of the running task.
    ///
    /// # Panics
    /// Outside a scope.
    #[track_caller]
    pub fn get(&'static self) -> T {
        self.try_get().unwrap_or_else(|_| no_value())
    }

    /// As [`LocalKey::get`].
    ///
    /// # Errors
    /// Outside a scope.
    pub fn try_get(&'static self) -> Result<T, AccessError> {
        self.try_with(T::clone)
    }

    /// Runs `future` with a copy of the present value, or without one if there is
    /// none: for a task that is spawned and belongs to the same request.
    ///
    /// ```
    /// gmp::task_local! { static REQUEST: u64; }
    ///
    /// # gmp::block_on(REQUEST.scope(7, async {
    /// let child = gmp::spawn(REQUEST.inherit(async { REQUEST.get() }));
    /// assert_eq!(child.await.expect("no panic"), 7);
    /// # }));
    /// ```
    pub fn inherit<F: Future>(&'static self, future: F) -> LocalScope<T, F> {
        LocalScope {
            key: self,
            value: self.try_get().ok(),
            future: Some(future),
        }
    }
}

#[cold]
#[track_caller]
fn no_value() -> ! {
    panic!("this task has no such task-local value: run it in LocalKey::scope or inherit")
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("LocalKey { .. }")
    }
}

/// The future of [`LocalKey::scope`] and [`LocalKey::inherit`].
#[must_use = "futures do nothing unless awaited"]
#[pin_project(PinnedDrop)]
pub struct LocalScope<T: 'static, F> {
    key: &'static LocalKey<T>,
    value: Option<T>,
    /// None: it has ended. Dropped in the scope of the value.
    #[pin]
    future: Option<F>,
}

impl<T, F> LocalScope<T, F> {
    /// The value, taken out; None while it is polled or after it was taken.
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().value.take()
    }
}

impl<T, F: Future> Future for LocalScope<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut future = this.future;
        this.key.swapped(this.value, || {
            let Some(running) = future.as_mut().as_pin_mut() else {
                panic!("a task-local scope was polled after it returned Ready: await it once")
            };
            let output = std::task::ready!(running.poll(cx));
            future.set(None);
            Poll::Ready(output)
        })
    }
}

#[pinned_drop]
impl<T, F> PinnedDrop for LocalScope<T, F> {
    fn drop(self: Pin<&mut Self>) {
        let this = self.project();
        let mut future = this.future;
        // At a thread's end, or inside `with`, there is no place for the value: the
        // future goes without it.
        let free = this
            .key
            .slot
            .try_with(|slot| slot.try_borrow_mut().is_ok())
            .unwrap_or(false);
        if free && future.is_some() {
            this.key.swapped(this.value, || future.set(None));
        }
    }
}

impl<T, F> fmt::Debug for LocalScope<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("LocalScope { .. }")
    }
}

/// The task has no value for the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task has no such task-local value")
    }
}

impl Error for AccessError {}
