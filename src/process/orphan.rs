//! Children that nobody waits for: their status is taken when they end, for a
//! zombie keeps its pid.
//!
//! An orphan is the waker of its own wait, so it needs neither a task nor a thread:
//! the event of its end wakes it, and it takes the status there and then. What the
//! runtime's end cuts off becomes a stray, which is asked again whenever this process
//! has to do with children.

use std::panic::Location;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use gmp_executor::leaf;

use super::exit::Live;

struct Orphan(Mutex<Option<Live>>);

static STRAYS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the status of `live` now or when it ends.
pub(super) fn adopt(live: Live) {
    sweep();
    Arc::new(Orphan(Mutex::new(Some(live)))).look();
}

/// Takes the status of every stray that has ended.
pub(super) fn sweep() {
    lock(&STRAYS).retain_mut(still_runs);
}

/// Not one of which the system does not know any more, either.
fn still_runs(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

impl Orphan {
    fn look(self: Arc<Orphan>) {
        let waker = Waker::from(self.clone());
        // A wake-up comes here as well, and waits until the look before is over.
        let mut place = lock(&self.0);
        let Some(live) = &mut *place else {
            return;
        };
        let mut cx = Context::from_waker(&waker);
        // Not the task that drops a child is to give way, but its next leaf.
        let end = leaf::unconstrained(|| live.poll_end(&mut cx, Location::caller()));
        if let Poll::Ready(end) = end {
            let ended = place.take();
            // The end of a registration wakes, and so comes after the lock.
            drop(place);
            let Some(live) = ended else {
                return;
            };
            let mut child = live.into_child();
            if end.is_err() && still_runs(&mut child) {
                lock(&STRAYS).push(child);
            }
        }
    }
}

impl Wake for Orphan {
    fn wake(self: Arc<Orphan>) {
        self.look();
    }
}
