//! The life of a task under wakes and aborts (L9, T-37): no wake is lost, the
//! task is queued in one place, polled by one M, ended once and freed once.

use super::explore;
use super::task::{JoinFault, NEVER, Task};

/// Runs the actors beside the M; the handle is gone from the start.
fn detached<const N: usize>(needs: usize, wakers: usize, actors: [fn(&Task); N]) {
    explore(move || {
        let task = Task::new(needs, wakers, JoinFault::None);
        task.drop_handle(false);
        task.run(actors);
        task.check_freed();
    });
}

/// Runs the actors beside the M; one of them drops the handle.
fn handled<const N: usize>(needs: usize, wakers: usize, actors: [fn(&Task); N]) {
    explore(move || {
        let task = Task::new(needs, wakers, JoinFault::None);
        task.run(actors);
        task.check_freed();
    });
}

/// A wake before, during and after a poll that gives Pending.
fn wake_and_pending() {
    detached(1, 1, [|task| task.wake(0)]);
}

fn two_wakes() {
    detached(2, 2, [|task| task.wake(0), |task| task.wake(1)]);
}

fn wakes_and_ready() {
    detached(0, 2, [|task| task.wake(0), |task| task.wake(1)]);
}

fn abort_and_pending() {
    handled(
        NEVER,
        0,
        [|task| {
            task.abort();
            task.drop_handle(false);
        }],
    );
}

fn abort_and_ready() {
    handled(
        0,
        0,
        [|task| {
            task.abort();
            task.drop_handle(false);
        }],
    );
}

fn wake_and_abort() {
    handled(
        NEVER,
        1,
        [
            |task| task.wake(0),
            |task| {
                task.abort();
                task.drop_handle(false);
            },
        ],
    );
}

/// The last waker goes while another one wakes.
fn last_waker_and_wake() {
    detached(1, 2, [|task| task.wake(0), Task::drop_waker]);
}

/// The handle goes while the last waker wakes the task for its end.
fn handle_drop_and_wake() {
    handled(1, 1, [|task| task.wake(0), |task| task.drop_handle(false)]);
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        "task_state": wake_and_pending, two_wakes, wakes_and_ready, abort_and_pending,
            abort_and_ready, wake_and_abort, last_waker_and_wake, handle_drop_and_wake;
        catches_a_wake_that_does_not_write: Mutant::WakeWithoutWrite, two_wakes,
            "a wake was lost";
        catches_a_poll_that_forgets_a_wake: Mutant::PollEndForgetsWake, wake_and_pending,
            "a wake was lost";
        catches_an_end_of_poll_in_two_steps: Mutant::PollEndByLoadAndStore, wake_and_pending,
            "a wake was lost"
    }
}
