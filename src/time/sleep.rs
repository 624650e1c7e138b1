//! One timer as a future.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gmp_executor::{WaitReason, leaf};
use gmp_reactor::Origin;
use gmp_timers::{FOREVER, Timer};

use super::{Instant, own_timer};

/// Waits for `duration`. Zero is over at once, without giving way (rule
/// R-TIMER-11); `Duration::MAX` never ends.
///
/// # Cancel safety
/// Yes: dropping it stops the timer.
///
/// ```
/// # gmp::block_on(async {
/// gmp::time::sleep(std::time::Duration::from_micros(50)).await;
/// # });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let mut sleep = Sleep::at(leaf::when(duration), Location::caller());
    if duration.is_zero() {
        sleep.state = State::Over;
    }
    sleep
}

/// Waits until `deadline`; a moment in the past is over at once.
///
/// # Cancel safety
/// Yes.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::at(deadline.as_nanos(), Location::caller())
}

/// The future of [`sleep`]. `Unpin`, `Send` and `Sync`; after its end it can be
/// reset and awaited again.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    timer: Timer,
    /// Nanoseconds of the runtime's clock.
    when: u64,
    state: State,
    /// Where it was armed.
    origin: Origin,
    location: &'static Location<'static>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    New,
    Armed,
    Over,
}

impl Sleep {
    fn at(when: u64, location: &'static Location<'static>) -> Sleep {
        Sleep {
            timer: Timer::new(),
            when,
            state: State::New,
            origin: Origin::here(),
            location,
        }
    }

    /// When it ends or ended.
    pub fn deadline(&self) -> Instant {
        Instant::from_nanos(self.when)
    }

    /// Whether its time has come.
    pub fn is_elapsed(&self) -> bool {
        self.state == State::Over || self.when <= leaf::now()
    }

    /// Moves the deadline, in either direction; a sleep that is over starts
    /// anew. The task that awaits it need not be woken for it.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        self.get_mut().reset_to(deadline.as_nanos());
    }

    pub(super) fn reset_to(&mut self, when: u64) {
        self.when = when;
        if self.origin.is_elsewhere() {
            self.start_anew();
        }
        // A timer that fires at this very moment is not moved: its sleep starts
        // anew, or it would be over before its new time.
        if self.state != State::Armed || !leaf::move_timer(&self.timer, when) {
            self.state = State::New;
        }
    }

    /// In a child of fork: the timer is the parent's.
    #[cold]
    fn start_anew(&mut self) {
        own_timer::forget(&mut self.timer);
        self.origin = Origin::here();
        if self.state == State::Armed {
            self.state = State::New;
        }
    }

    pub(super) fn nanos(&self) -> u64 {
        self.when
    }

    pub(super) fn poll_at(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<()> {
        self.poll_with(cx, || leaf::park(WaitReason::Sleep, location))
    }

    /// As a limit to what was polled just before.
    pub(super) fn poll_beside(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let location = self.location;
        self.poll_with(cx, || leaf::park_beside(WaitReason::Sleep, location))
    }

    fn poll_with(&mut self, cx: &mut Context<'_>, park: impl FnOnce()) -> Poll<()> {
        if self.state == State::Over {
            return Poll::Ready(());
        }
        ready!(leaf::poll_check(cx));
        if self.origin.is_elsewhere() {
            self.start_anew();
        }
        match self.state {
            State::New => {
                if self.when < FOREVER && leaf::is_due(self.when) {
                    self.state = State::Over;
                    return Poll::Ready(());
                }
                leaf::arm(&self.timer, self.when, cx.waker());
                self.state = State::Armed;
            }
            _ => self.timer.set_waker(cx.waker()),
        }
        if self.timer.fired() {
            self.state = State::Over;
            return Poll::Ready(());
        }
        if !self.timer.is_pending() {
            // Fired between the two looks, or stopped by nobody but us: the
            // second look at `fired` tells which.
            if self.timer.fired() {
                self.state = State::Over;
                return Poll::Ready(());
            }
            leaf::arm(&self.timer, self.when, cx.waker());
        }
        park();
        Poll::Pending
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let location = this.location;
        this.poll_at(cx, location)
    }
}

/// The timer stops by itself.
impl Drop for Sleep {
    fn drop(&mut self) {
        if self.origin.is_elsewhere() {
            own_timer::forget(&mut self.timer);
        }
        if self.state == State::Armed {
            leaf::unpark_at(self.location);
        }
    }
}

impl std::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .field("state", &self.state)
            .finish()
    }
}
