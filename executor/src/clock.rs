//! Time of a runtime: nanoseconds of the operating system's monotonic clock, never
//! 0, so that 0 can mean "none".
//!
//! All Ms, heaps and futures use this one number; virtual time adds a runtime's own
//! offset (`sched.rs`). It is read at least once per timer, so where the system's
//! call is known it is made directly: std's `Instant` is the same clock, but its
//! arithmetic costs half as much again as the reading.

#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "asks libc for the time")
)]

use std::time::{Duration, Instant};

use crate::sync::OnceLock;

/// Added to each reading, so that small subtractions stay positive on a machine
/// that has just started.
const ORIGIN: u64 = 1_000_000_000;

/// The present moment in nanoseconds.
#[cfg(target_os = "linux")]
pub(crate) fn nanotime() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid place. libc and not rustix, which finds the vdso by
    // itself and does not survive valgrind.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    debug_assert_eq!(failed, 0, "the monotonic clock is always there");
    // It counts from the machine's start and is never negative.
    ORIGIN + now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The present moment in nanoseconds.
#[cfg(not(target_os = "linux"))]
pub(crate) fn nanotime() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    ORIGIN + nanos(START.get_or_init(Instant::now).elapsed())
}

/// One moment on both clocks. std's is read first: a deadline that is converted
/// may come some ten nanoseconds late, never early.
fn anchor() -> (Instant, u64) {
    static ANCHOR: OnceLock<(Instant, u64)> = OnceLock::new();
    *ANCHOR.get_or_init(|| (Instant::now(), nanotime()))
}

/// The number of a moment of std's clock; moments before the clock's start clamp
/// to 1.
pub(crate) fn from_instant(at: Instant) -> u64 {
    let (moment, number) = anchor();
    match at.checked_duration_since(moment) {
        Some(since) => number.saturating_add(nanos(since)),
        None => number
            .saturating_sub(nanos(moment.duration_since(at)))
            .max(1),
    }
}

/// The moment of a number; the far future clamps to about 30 years from now.
pub(crate) fn to_instant(when: u64) -> Instant {
    let (moment, number) = anchor();
    let far = Duration::from_secs(30 * 365 * 24 * 3600);
    if when < number {
        return moment
            .checked_sub(Duration::from_nanos(number - when))
            .unwrap_or(moment);
    }
    moment
        .checked_add(Duration::from_nanos(when - number))
        .unwrap_or_else(|| moment + far)
}

/// A duration in nanoseconds, clamped.
pub(crate) fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{from_instant, nanos, nanotime, to_instant};

    #[test]
    fn numbers_and_moments_convert_both_ways() {
        let now = Instant::now();
        assert_eq!(to_instant(from_instant(now)), now);
        let later = now + Duration::from_millis(3);
        assert_eq!(from_instant(later) - from_instant(now), 3_000_000);
        assert!(nanotime() > 0);
        assert!(from_instant(now - Duration::from_secs(5)) > 0);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
