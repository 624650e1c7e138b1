//! Ticks at a fixed period.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use gmp_executor::leaf;
use gmp_timers::{FOREVER, next_period};

use super::{Instant, Sleep, sleep_until};
use crate::leaf_fn::leaf_fn;

/// What an [`Interval`] does about ticks that nobody waited for in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissedTickBehavior {
    /// Ticks as fast as possible until it has caught up.
    #[default]
    Burst,
    /// Ticks once and goes on a period after that tick.
    Delay,
    /// Ticks once and goes on in the old phase (Go's tickers do this).
    Skip,
}

/// Ticks every `period`; the first tick is at once.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// # gmp::block_on(async {
/// let mut interval = gmp::time::interval(std::time::Duration::from_micros(200));
/// interval.tick().await;
/// interval.tick().await;
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks at `start` and every `period` after it.
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "interval needs a period above zero");
    Interval {
        sleep: sleep_until(start),
        period,
        missed: MissedTickBehavior::default(),
        location: Location::caller(),
    }
}

/// See [`interval`]. Also a [`Stream`] of its ticks.
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    missed: MissedTickBehavior,
    location: &'static Location<'static>,
}

impl Interval {
    /// Waits for the next tick and returns the moment it was due.
    ///
    /// # Cancel safety
    /// Yes: no tick is lost.
    #[track_caller]
    pub fn tick(&mut self) -> impl Future<Output = Instant> {
        let location = Location::caller();
        leaf_fn(location, move |cx| self.poll_at(cx, location))
    }

    /// Polls for the next tick.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        self.poll_at(cx, self.location)
    }

    fn poll_at(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<Instant> {
        ready!(self.sleep.poll_at(cx, location));
        let due = self.sleep.nanos();
        let next = self.next_after(due);
        self.sleep.reset_to(next);
        Poll::Ready(Instant::from_nanos(due))
    }

    fn next_after(&self, due: u64) -> u64 {
        let period = leaf::nanos(self.period);
        let now = || leaf::now();
        let next = match self.missed {
            MissedTickBehavior::Burst => due.saturating_add(period),
            MissedTickBehavior::Delay => {
                let (now, next) = (now(), due.saturating_add(period));
                // A tick that was taken in time keeps its phase.
                if next > now {
                    next
                } else {
                    now.saturating_add(period)
                }
            }
            MissedTickBehavior::Skip => next_period(due, period, now().max(due)),
        };
        next.min(FOREVER)
    }

    /// The next tick is a period from now.
    pub fn reset(&mut self) {
        self.sleep.reset_to(leaf::when(self.period));
    }

    /// The next tick is now.
    pub fn reset_immediately(&mut self) {
        self.sleep.reset_to(leaf::now());
    }

    /// The next tick is after `after`.
    pub fn reset_after(&mut self, after: Duration) {
        self.sleep.reset_to(leaf::when(after));
    }

    /// The next tick is at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.sleep.reset_to(deadline.as_nanos());
    }

    /// What it does about missed ticks.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Changes what it does about missed ticks.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }

    /// The period.
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }
}
