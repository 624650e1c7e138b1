//! Time: [`sleep()`], [`timeout()`], [`interval()`], [`after_func()`], and a clock that
//! tests may stop.
//!
//! Deadlines have nanosecond resolution and are never rounded to milliseconds.
//! A timer never fires early. `Duration::MAX` and moments in the past are legal
//! everywhere.

mod after_func;
mod instant;
mod interval;
mod own_timer;
mod sleep;
mod timeout;

pub use std::time::Duration;

pub use self::after_func::{Timer, after_func};
pub use self::instant::Instant;
pub use self::interval::{Interval, MissedTickBehavior, interval, interval_at};
pub(crate) use self::own_timer::OwnTimer;
pub use self::sleep::{Sleep, sleep, sleep_until};
pub use self::timeout::{Timeout, timeout, timeout_at};
pub use gmp_executor::virtual_time::{advance, pause, resume};

/// Errors of this module.
pub mod error {
    pub use super::timeout::Elapsed;
}
