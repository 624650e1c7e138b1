//! hyper's time is gmp's, also when a test has stopped it.

use std::pin::Pin;
use std::time::{Duration, Instant};

use ::hyper::rt;

use crate::time::{self, Sleep};

/// Gives hyper the timers of this crate.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Timer;

impl rt::Timer for Timer {
    #[track_caller]
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(time::sleep(duration))
    }

    #[track_caller]
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(time::sleep_until(deadline.into()))
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }

    /// In place: hyper resets its timer for every request.
    #[track_caller]
    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.reset(deadline.into()),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

impl rt::Sleep for Sleep {}
