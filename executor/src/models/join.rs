//! A handle beside the end of its task: the output goes to one of both, and
//! whoever waits last is woken (L9; the rules of `join.rs` and the table of `g.rs`).

use super::explore;
use super::task::{JoinFault, Task};

/// The handle polls with each of `wakers` in turn, then waits for the end or goes.
fn joined(fault: JoinFault, wakers: u32, waits: bool) {
    explore(move || {
        let task = Task::new(0, 0, fault);
        let handle = loom::thread::spawn({
            let task = task.clone();
            move || {
                let taken = (1..=wakers).any(|waker| task.join(waker));
                if !waits {
                    task.drop_handle(taken);
                }
                taken
            }
        });
        task.run([]);
        let taken = handle.join().expect("the handle's thread ends");
        if waits {
            assert!(
                taken || task.join_woken() == wakers,
                "the last waker was not woken"
            );
            let taken = taken || task.join(wakers);
            assert!(taken, "no output after the end");
            task.drop_handle(taken);
        }
        task.check_freed();
    });
}

fn handle_drop_and_ready() {
    joined(JoinFault::None, 0, false);
}

fn register_and_ready() {
    joined(JoinFault::None, 1, true);
}

fn swap_and_ready() {
    joined(JoinFault::None, 2, true);
}

fn registered_handle_drop_and_ready() {
    joined(JoinFault::None, 1, false);
}

mod tests {
    use super::{JoinFault, joined};

    crate::models::models! {
        handle_drop_and_ready, register_and_ready, swap_and_ready,
        registered_handle_drop_and_ready
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn catches_a_slot_read_before_the_retraction() {
        joined(JoinFault::SlotBeforeRetract, 2, true);
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn catches_a_waker_published_before_it_is_stored() {
        joined(JoinFault::PublishBeforeStore, 1, true);
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn catches_a_handle_that_takes_a_published_waker() {
        joined(JoinFault::DropTakesPublished, 1, false);
    }
}
