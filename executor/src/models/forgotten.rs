//! The proof of a leak beside the last wakes of a task: whoever is about to be
//! polled is never called forgotten.

use std::sync::Arc;

use super::explore;
use crate::g::forgotten::{is_forgotten, rests};
use crate::g::refs::Refs;
use crate::g::state::State;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The state is not looked at again after the counts.
    OneLook,
    /// A waker is dropped before it has woken.
    DropBeforeWake,
}

/// A waiting task with two wakers, which two threads use up while a third looks.
fn looked_at(fault: Fault) {
    explore(move || {
        let task = Arc::new((State::new(), Refs::new()));
        let _polled = task.0.begin_poll();
        (0..2).for_each(|_| task.1.add_waker());
        let _parked = task.0.end_poll();
        let wake = move |task: Arc<(State, Refs)>| {
            if fault == Fault::DropBeforeWake {
                let _kept = task.1.drop_waker();
            }
            let _first = task.0.wake();
            if fault != Fault::DropBeforeWake {
                let _kept = task.1.drop_waker();
            }
        };
        let looker = loom::thread::spawn({
            let task = task.clone();
            move || match fault {
                Fault::OneLook => rests(&task.0) && task.1.counts().0 == 0,
                _ => is_forgotten(&task.0, &task.1),
            }
        });
        let other = loom::thread::spawn({
            let task = task.clone();
            move || wake(task)
        });
        wake(task.clone());
        other.join().expect("the other waker's thread ends");
        let forgotten = looker.join().expect("the looker's thread ends");
        assert!(!forgotten, "a task that was woken was called forgotten");
        assert!(!rests(&task.0), "a wake was lost");
    });
}

fn look_and_last_wakes() {
    looked_at(Fault::None);
}

mod tests {
    use super::{Fault, looked_at};

    crate::models::models! { "forgotten": look_and_last_wakes }

    #[test]
    #[should_panic(expected = "was called forgotten")]
    fn catches_a_single_look_at_the_state() {
        looked_at(Fault::OneLook);
    }

    #[test]
    #[should_panic(expected = "was called forgotten")]
    fn catches_a_waker_that_is_dropped_before_it_wakes() {
        looked_at(Fault::DropBeforeWake);
    }
}
