//! The runtime's clock as a type.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use gmp_executor::leaf;

/// A moment of this thread's runtime clock, which tests may stop and advance.
/// Converts from and into std's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(std::time::Instant);

impl Instant {
    /// The present moment.
    ///
    /// ```
    /// let before = gmp::time::Instant::now();
    /// assert!(gmp::time::Instant::now() >= before);
    /// ```
    pub fn now() -> Instant {
        Instant(leaf::to_instant(leaf::now()))
    }

    pub(super) fn from_nanos(when: u64) -> Instant {
        Instant(leaf::to_instant(when))
    }

    pub(super) fn as_nanos(self) -> u64 {
        leaf::from_instant(self.0)
    }

    /// The same moment of std's clock.
    pub fn into_std(self) -> std::time::Instant {
        self.0
    }

    /// A moment of std's clock.
    pub fn from_std(std: std::time::Instant) -> Instant {
        Instant(std)
    }

    /// Time from `earlier` to this moment; zero if `earlier` is later.
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// Time from `earlier`; None if `earlier` is later.
    pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// As [`Instant::duration_since`].
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// Time since this moment; zero if it is in the future.
    pub fn elapsed(&self) -> Duration {
        Instant::now().duration_since(*self)
    }

    /// The moment after `duration`; None beyond the clock's range.
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        self.0.checked_add(duration).map(Instant)
    }

    /// The moment before `duration`; None beyond the clock's range.
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        self.0.checked_sub(duration).map(Instant)
    }
}

impl From<std::time::Instant> for Instant {
    fn from(std: std::time::Instant) -> Instant {
        Instant(std)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> std::time::Instant {
        instant.0
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Clamps at the far future of the clock instead of overflowing.
    fn add(self, duration: Duration) -> Instant {
        Instant(
            self.0
                .checked_add(duration)
                .unwrap_or_else(leaf::far_future),
        )
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        Instant(
            self.0
                .checked_sub(duration)
                .unwrap_or_else(|| leaf::to_instant(1)),
        )
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
