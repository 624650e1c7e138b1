//! Time of a runtime: nanoseconds since the process's first look at the clock,
//! never 0, so that 0 can mean "none".
//!
//! All Ms, heaps and futures use this one number. The offset from the
//! operating system's clock is fixed per process; virtual time adds a runtime's
//! own offset (`sched.rs`).

use std::time::{Duration, Instant};

use crate::sync::OnceLock;

static START: OnceLock<Instant> = OnceLock::new();

fn start() -> Instant {
    *START.get_or_init(Instant::now)
}

/// The present moment in nanoseconds. It starts at one second, so that small
/// subtractions stay positive.
pub(crate) fn nanotime() -> u64 {
    from_instant(Instant::now())
}

const ORIGIN: u64 = 1_000_000_000;

/// The number of a moment of std's clock; moments before the start clamp to 1.
pub(crate) fn from_instant(at: Instant) -> u64 {
    let start = start();
    match at.checked_duration_since(start) {
        Some(since) => ORIGIN.saturating_add(nanos(since)),
        None => ORIGIN
            .saturating_sub(nanos(start.duration_since(at)))
            .max(1),
    }
}

/// The moment of a number; the far future clamps to about 30 years from now.
pub(crate) fn to_instant(when: u64) -> Instant {
    let start = start();
    let far = Duration::from_secs(30 * 365 * 24 * 3600);
    if when < ORIGIN {
        return start
            .checked_sub(Duration::from_nanos(ORIGIN - when))
            .unwrap_or(start);
    }
    start
        .checked_add(Duration::from_nanos(when - ORIGIN))
        .unwrap_or_else(|| start + far)
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
