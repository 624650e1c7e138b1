//! The timers of the gmp runtime: one 4-ary heap per P, with lazy deletion.
//!
//! This crate knows nothing of tasks and reads no clock. Time comes in as an argument, in
//! nanoseconds on the runtime's monotonic clock; what is due goes out as
//! [`Waker`](std::task::Waker)s in a list that the caller owns.
//!
//! ```text
//!   any thread                                          owner of the P, or a thief
//!   Timer::stop ──── mark ────▶ node ◀── entry ── heap ◀── Timers::check (run, adjust, sweep)
//!   Timer::reset ─── mark ────▶  │                 ▲
//!                └── lower ────▶ face ◀── publish ─┘
//!                                 └──────▶ Timers::next (no lock)
//! ```
//!
//! - A *node* is what a [`Timer`] and its heap entry share: deadline, waker, place.
//! - Only the holder of a set's lock touches its heap. `stop` marks the node and leaves a *zombie*
//!   behind; `reset` marks it and, for an earlier deadline, lowers a word of the *face*, which
//!   makes the next `check` look at every entry.
//! - The owner sweeps zombies out when they are more than a quarter; before that, `add` and `check`
//!   trim both ends.
//!
//! # Locks
//!
//! A set's lock comes before a timer's lock, which is a leaf. No waker is cloned, woken or dropped
//! under either. Two sets' locks are taken together in [`Timers::take_from`] alone, by address.
//!
//! # Going to sleep
//!
//! [`Timers::add`] and [`Timer::reset`] say whether the poller must be woken, but they do not know
//! whether it sleeps. The sleeper and the waker meet in the caller's word "asleep until":
//!
//! ```text
//!   sleeper                              whoever adds or resets
//!   asleep_until = next                  add / reset, returns true
//!   fence(SeqCst)                        fence(SeqCst)
//!   next() < asleep_until? start over    asleep_until later than `when`? wake it
//!   block
//! ```
//!
//! Without the last look at [`Timers::next`] a deadline that arrives in between is slept through.

#![deny(unsafe_code)]

mod face;
mod heap;
mod mutant;
mod node;
mod prefetch;
mod sync;
mod timer;
mod timers;

#[cfg(all(test, loom))]
mod models;

pub use timer::{Reset, Timer};
pub use timers::{Check, Timers};

/// The last point in time, some 292 years after the clock's start. A timer for it never fires.
pub const FOREVER: u64 = i64::MAX as u64;

/// The time after `now` at which a periodic timer that was due at `when` is due again: whole
/// periods from `when`, so that the phase is kept and missed ticks are dropped. A period of 0
/// counts as 1; beyond the end of time it is [`FOREVER`].
///
/// # Rule R-TIMER-10
pub fn next_period(when: u64, period: u64, now: u64) -> u64 {
    let period = period.max(1);
    let missed = now.saturating_sub(when) / period;
    clamp(
        period
            .saturating_mul(missed.saturating_add(1))
            .saturating_add(when),
    )
}

/// A valid deadline: 0 would say "none".
fn clamp(when: u64) -> u64 {
    when.clamp(1, FOREVER)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn t59_period_keeps_the_phase_and_drops_missed_ticks() {
        assert_eq!(next_period(100, 10, 100), 110);
        assert_eq!(next_period(100, 10, 130), 140);
        assert_eq!(next_period(100, 10, 135), 140);
        assert_eq!(next_period(100, 10, 109), 110);
        assert_eq!(next_period(100, 10, 110), 120);
    }

    #[test]
    fn next_period_is_after_now_and_on_the_phase() {
        for when in 1..20 {
            for period in 1..20 {
                for now in when..60 {
                    let next = next_period(when, period, now);
                    assert!(next > now && next - now <= period);
                    assert_eq!((next - when) % period, 0);
                }
            }
        }
    }

    #[test]
    fn t66_periods_clamp_at_the_end_of_time() {
        assert_eq!(next_period(100, u64::MAX, 200), FOREVER);
        assert_eq!(next_period(FOREVER, 1, FOREVER), FOREVER);
        assert_eq!(next_period(1, 1, u64::MAX), FOREVER);
        assert_eq!(next_period(u64::MAX, u64::MAX, u64::MAX), FOREVER);
        assert_eq!(next_period(100, 0, 100), 101);
        assert_eq!(
            next_period(100, 10, 50),
            110,
            "not due yet: the tick after it"
        );
    }

    #[test]
    fn clamp_keeps_zero_out() {
        assert_eq!(
            [0, 1, FOREVER, FOREVER + 1, u64::MAX].map(clamp),
            [1, 1, FOREVER, FOREVER, FOREVER]
        );
    }
}
