//! Polls in which stacks are noted go as those in which they are not: a stack is
//! taken where a leaf waits anyway, nothing is polled for its sake, and nothing is
//! woken. Each story is told without stacks and with them, while another thread
//! takes snapshots all the time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gmp::runtime::Runtime;
use gmp_profiler::{Profile, Status, park_stacks};
use stories::Snapshots;

#[path = "../examples/zoo/stories.rs"]
mod stories;
#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

const LONG: Duration = Duration::from_secs(3600);

/// The switch is of the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the story without stacks, then with them: the ends are the same.
fn told_twice<T: PartialEq + std::fmt::Debug + Send + 'static>(
    story: fn(&Runtime, &Snapshots, bool) -> T,
) {
    let _one = alone();
    let tell = move |on| {
        watchdog::within(120, move || {
            let has = park_stacks(on).is_ok() && on;
            let rt = stories::runtime();
            let snapshots = Snapshots::of(rt.handle());
            let end = story(&rt, &snapshots, has);
            drop(snapshots);
            assert!(Profile::of(rt.handle()).is_empty(), "all tasks are joined");
            end
        })
    };
    let without = tell(false);
    assert_eq!(tell(true), without);
}

#[test]
fn a_task_completes_in_a_traced_poll() {
    told_twice(stories::completes);
}

#[test]
fn a_task_is_woken_in_a_traced_poll() {
    told_twice(stories::wakes);
}

#[test]
fn a_task_panics_in_a_traced_poll() {
    told_twice(stories::panics);
}

#[test]
fn a_lock_goes_round_among_futures_unordered() {
    told_twice(stories::futures_unordered);
}

/// What has ended leaves no stack to whoever gets its place in memory.
#[test]
fn a_stack_ends_with_its_task() {
    told_twice(|rt, _, has| {
        for _ in 0..20 {
            let waiting: Vec<_> = (0..20).map(|_| rt.spawn(gmp::time::sleep(LONG))).collect();
            let all_wait = |stacks| loop {
                let tasks = Profile::of(rt.handle());
                if tasks.iter().all(|task| task.status == Status::Waiting) {
                    assert!(tasks.iter().all(|task| task.stack.is_some() == stacks));
                    break;
                }
                std::thread::yield_now();
            };
            all_wait(has);
            waiting.iter().for_each(gmp::task::JoinHandle::abort);
            for task in waiting {
                assert!(rt.block_on(task).expect_err("aborted").is_cancelled());
            }
            // No leaf of gmp makes these wait.
            let foreign: Vec<_> = (0..20)
                .map(|_| rt.spawn(std::future::pending::<()>()))
                .collect();
            all_wait(false);
            foreign.iter().for_each(gmp::task::JoinHandle::abort);
            for task in foreign {
                assert!(rt.block_on(task).expect_err("aborted").is_cancelled());
            }
        }
    });
}
