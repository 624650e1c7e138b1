//! A suspender beside wakes, aborts and the end of a poll (R-SUSPEND-2 and 3,
//! L16): a held task is not polled, and whatever came meanwhile takes effect.

use super::explore;
use super::task::{JoinFault, NEVER, Task};

fn suspended<const N: usize>(needs: usize, actors: [fn(&Task); N]) {
    explore(move || {
        let task = Task::new(needs, 1, JoinFault::None);
        task.run(actors);
        task.check_ended();
        task.drop_handle(false);
        task.check_freed();
    });
}

fn suspend_and_wake() {
    suspended(1, [|task| task.suspend(2), |task| task.wake(0)]);
}

fn suspend_and_abort() {
    suspended(
        NEVER,
        [
            |task| task.suspend(2),
            |task| {
                task.abort();
                task.drop_waker();
            },
        ],
    );
}

/// Nobody wakes the task: it ends up waiting, or stopped and let go.
fn withdraw_and_pending() {
    explore(|| {
        let task = Task::new(NEVER, 1, JoinFault::None);
        task.run([|task| task.suspend(1)]);
        task.check_waits();
    });
}

/// Two suspenders, one of which gives up.
fn two_suspenders() {
    suspended(
        1,
        [
            |task| task.suspend(2),
            |task| {
                task.suspend(1);
                task.wake(0);
            },
        ],
    );
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        suspend_and_wake, suspend_and_abort, withdraw_and_pending, two_suspenders;
        catches_a_poll_of_a_held_task: Mutant::PollIgnoresScan, suspend_and_wake, "";
        catches_a_wake_forgotten_in_the_suspension: Mutant::ResumeForgetsWake, suspend_and_wake,
            "a wake was lost";
        catches_a_stop_that_is_only_cleared: Mutant::WithdrawOnlyClears, withdraw_and_pending,
            "preempted"
    }
}
