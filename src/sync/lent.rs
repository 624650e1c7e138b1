//! What every guard of a lock has inside: the way to a value, and the right to go
//! there, which ends when it is dropped.
//!
//! A part of a value is reached by the same right as the whole: so a guard of a
//! part is made of a guard of the whole, with no more unsafe code, and holds the
//! same lock in the same name.

#![expect(unsafe_code, reason = "lends what the lock guards")]

use std::ops::{Deref, DerefMut};
use std::ptr;

/// The way to a `T` for one of several, while `H` lives.
pub(super) struct Shared<T: ?Sized, H> {
    value: *const T,
    hold: H,
}

/// The way to a `T` for one alone, while `H` lives.
pub(super) struct Exclusive<T: ?Sized, H> {
    value: *mut T,
    hold: H,
}

// SAFETY: it is a `&T` and an `H`.
unsafe impl<T: ?Sized + Sync, H: Send> Send for Shared<T, H> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync, H: Sync> Sync for Shared<T, H> {}
// SAFETY: it is a `&mut T` and an `H`.
unsafe impl<T: ?Sized + Send, H: Send> Send for Exclusive<T, H> {}
// SAFETY: as above; shared, it gives out a `&T`.
unsafe impl<T: ?Sized + Sync, H: Sync> Sync for Exclusive<T, H> {}

impl<T: ?Sized, H> Shared<T, H> {
    /// # Safety
    /// Until `hold` is dropped the value is where this points to, and nobody has it alone.
    pub(super) unsafe fn new(value: *const T, hold: H) -> Shared<T, H> {
        Shared { value, hold }
    }

    pub(super) fn hold(&self) -> &H {
        &self.hold
    }

    pub(super) fn map<U: ?Sized>(self, part: impl FnOnce(&T) -> &U) -> Shared<U, H> {
        Shared {
            value: part(&self),
            hold: self.hold,
        }
    }

    /// Comes back as it was if there is no such part.
    pub(super) fn try_map<U: ?Sized>(
        self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<Shared<U, H>, Self> {
        match part(&self).map(ptr::from_ref) {
            Some(value) => Ok(Shared {
                value,
                hold: self.hold,
            }),
            None => Err(self),
        }
    }
}

impl<T: ?Sized, H> Exclusive<T, H> {
    /// # Safety
    /// Until `hold` is dropped the value is where this points to, and nobody else
    /// reaches it; from [`share`](Self::share) on, nobody has it alone. A guard that
    /// can be shared goes to other threads only with a `T` that is `Sync`: there may be
    /// readers on the thread that it came from.
    pub(super) unsafe fn new(value: *mut T, hold: H) -> Exclusive<T, H> {
        Exclusive { value, hold }
    }

    pub(super) fn hold(&self) -> &H {
        &self.hold
    }

    pub(super) fn map<U: ?Sized>(mut self, part: impl FnOnce(&mut T) -> &mut U) -> Exclusive<U, H> {
        Exclusive {
            value: part(&mut self),
            hold: self.hold,
        }
    }

    /// Comes back as it was if there is no such part.
    pub(super) fn try_map<U: ?Sized>(
        mut self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<Exclusive<U, H>, Self> {
        match part(&mut self).map(ptr::from_mut) {
            Some(value) => Ok(Exclusive {
                value,
                hold: self.hold,
            }),
            None => Err(self),
        }
    }

    /// Lets others read; `weaken` tells them. Until then `part` is alone.
    pub(super) fn share<U: ?Sized>(
        self,
        part: impl FnOnce(&T) -> &U,
        weaken: impl FnOnce(&mut H),
    ) -> Shared<U, H> {
        let mut shared = Shared {
            value: ptr::from_ref(part(&self)),
            hold: self.hold,
        };
        weaken(&mut shared.hold);
        shared
    }

    /// As [`share`](Self::share); comes back as it was if there is no such part.
    pub(super) fn try_share<U: ?Sized>(
        self,
        part: impl FnOnce(&T) -> Option<&U>,
        weaken: impl FnOnce(&mut H),
    ) -> Result<Shared<U, H>, Self> {
        let Some(value) = part(&self).map(ptr::from_ref) else {
            return Err(self);
        };
        let mut shared = Shared {
            value,
            hold: self.hold,
        };
        weaken(&mut shared.hold);
        Ok(shared)
    }
}

impl<T: ?Sized, H> Deref for Shared<T, H> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the value of `new` is there and is not changed, for `hold` lives; a
        // part of it is there as long as the whole is.
        unsafe { &*self.value }
    }
}

impl<T: ?Sized, H> Deref for Exclusive<T, H> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the value of `new` is there and is this one's alone, for `hold` lives;
        // a part of it is there as long as the whole is, and who made it of the
        // whole has given the whole up.
        unsafe { &*self.value }
    }
}

impl<T: ?Sized, H> DerefMut for Exclusive<T, H> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; and this one itself is borrowed alone.
        unsafe { &mut *self.value }
    }
}

/// The traits of guards that have their value in a field `value`: `shared` ones, or
/// `exclusive` ones, which may be written to.
macro_rules! guards {
    ($($rights:ident [$($generics:tt)*] $guard:ty => $value:ty;)*) => {
        $(
            impl<$($generics)*> std::ops::Deref for $guard {
                type Target = $value;

                fn deref(&self) -> &$value {
                    &self.value
                }
            }

            $crate::sync::lent::guards!(@$rights [$($generics)*] $guard => $value);

            impl<$($generics)*> std::fmt::Debug for $guard
            where
                $value: std::fmt::Debug,
            {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    std::fmt::Debug::fmt(&**self, f)
                }
            }

            impl<$($generics)*> std::fmt::Display for $guard
            where
                $value: std::fmt::Display,
            {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    std::fmt::Display::fmt(&**self, f)
                }
            }
        )*
    };
    (@shared $($rest:tt)*) => {};
    (@exclusive [$($generics:tt)*] $guard:ty => $value:ty) => {
        impl<$($generics)*> std::ops::DerefMut for $guard {
            fn deref_mut(&mut self) -> &mut $value {
                &mut self.value
            }
        }
    };
}
pub(super) use guards;
