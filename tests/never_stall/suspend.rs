//! Suspending tasks while they run, wait, wake, are aborted and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gmp::profiler;
use gmp::runtime::Builder;
use gmp::task::{safepoint, yield_now};
use gmp::time::sleep;

use crate::eventually::eventually;
use crate::watchdog::within;

const LONG: Duration = Duration::from_secs(30);

/// Rules R-SUSPEND-2 and 3, T-85: a running task stops at its next leaf and goes
/// on when it is released.
#[test]
fn a_running_task_stops_at_its_next_leaf() {
    within(60, || {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let _entered = rt.enter();
        let (turns, stop) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let task = rt.spawn({
            let (turns, stop) = (turns.clone(), stop.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                    safepoint().await;
                }
            }
        });
        for _ in 0..20 {
            let before = turns.load(Ordering::Relaxed);
            eventually("it runs", || turns.load(Ordering::Relaxed) > before);
            let held = profiler::suspend(task.id(), LONG).expect("it has leaves");
            assert!(!held.dead());
            let stopped_at = turns.load(Ordering::Relaxed);
            // Others have its P meanwhile.
            rt.block_on(rt.spawn(yield_now())).expect("no panic");
            assert_eq!(turns.load(Ordering::Relaxed), stopped_at);
        }
        stop.store(true, Ordering::Relaxed);
        rt.block_on(task).expect("no panic");
    });
}

/// Rule R-SUSPEND-2: a poll without a leaf cannot be stopped; the suspender learns
/// so in time, and the task never notices.
#[test]
fn a_task_that_reaches_no_leaf_is_left_alone() {
    within(60, || {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let _entered = rt.enter();
        let (begun, stop) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let task = rt.spawn({
            let (begun, stop) = (begun.clone(), stop.clone());
            async move {
                begun.store(true, Ordering::SeqCst);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
                yield_now().await;
                5
            }
        });
        eventually("it runs", || begun.load(Ordering::SeqCst));
        let refused = profiler::suspend(task.id(), Duration::from_millis(20));
        assert_eq!(refused.expect_err("no leaf").id, task.id().get());
        stop.store(true, Ordering::Relaxed);
        assert_eq!(rt.block_on(task).expect("no panic"), 5);
    });
}

/// T-84: wakes during a suspension are kept, and two suspenders never have the
/// task at once.
#[test]
fn suspenders_exclude_each_other_and_lose_no_wake() {
    within(120, || {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let steps = Arc::new(AtomicUsize::new(0));
        let task = rt.spawn({
            let steps = steps.clone();
            async move {
                // Waits, wakes, runs and yields in turn; a lost wake ends it for good.
                for n in 0..2000_u64 {
                    steps.fetch_add(1, Ordering::Relaxed);
                    match n % 3 {
                        0 => sleep(Duration::from_micros(n % 20)).await,
                        1 => yield_now().await,
                        _ => safepoint().await,
                    }
                }
            }
        });
        let inside = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let suspenders: Vec<_> = (0..2)
            .map(|_| {
                let (handle, id) = (rt.handle().clone(), task.id());
                let (inside, ended, steps) = (inside.clone(), ended.clone(), steps.clone());
                thread::spawn(move || {
                    let _entered = handle.enter();
                    while !ended.load(Ordering::Relaxed) {
                        // In time or not: both are fine here.
                        let Ok(held) = profiler::suspend(id, Duration::from_millis(5)) else {
                            continue;
                        };
                        if held.dead() {
                            break;
                        }
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        let before = steps.load(Ordering::Relaxed);
                        thread::yield_now();
                        assert_eq!(steps.load(Ordering::Relaxed), before, "it ran on");
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(held);
                        thread::sleep(Duration::from_micros(50));
                    }
                })
            })
            .collect();
        rt.block_on(task).expect("no panic");
        ended.store(true, Ordering::Relaxed);
        for suspender in suspenders {
            suspender.join().expect("no assertion fails");
        }
        assert_eq!(steps.load(Ordering::Relaxed), 2000);
    });
}

/// Rule R-SUSPEND-2: against aborts and ends, at random moments.
#[test]
fn a_suspension_may_meet_the_end_of_its_task() {
    within(120, || {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let _entered = rt.enter();
        for n in 0..300_u64 {
            let task = rt.spawn(async move {
                sleep(Duration::from_micros(n % 40)).await;
                safepoint().await;
                n
            });
            let id = task.id();
            let handle = rt.handle().clone();
            let suspender = thread::spawn(move || {
                let _entered = handle.enter();
                let held = profiler::suspend(id, LONG).expect("it has leaves");
                // A dead one stays dead, and has no id.
                assert_eq!(held.id().is_none(), held.dead());
            });
            if n % 2 == 0 {
                task.abort();
            }
            match rt.block_on(task) {
                Ok(got) => assert_eq!(got, n),
                Err(error) => assert!(n % 2 == 0 && error.is_cancelled()),
            }
            suspender.join().expect("no assertion fails");
        }
        eventually("all have ended", || rt.handle().num_tasks() == 0);
    });
}

/// Rule R-SUSPEND-1: tasks that suspend each other both come back.
#[test]
fn mutual_suspension_ends() {
    within(60, || {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let ids = Arc::new(std::sync::Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..2)
            .map(|me| {
                let ids = ids.clone();
                rt.spawn(async move {
                    let other = loop {
                        if let Some(id) = ids.lock().expect("no panic").get(1 - me).copied() {
                            break id;
                        }
                        yield_now().await;
                    };
                    for _ in 0..20 {
                        drop(profiler::suspend(other, Duration::from_millis(2)));
                        safepoint().await;
                    }
                })
            })
            .collect();
        ids.lock()
            .expect("no panic")
            .extend(tasks.iter().map(gmp::task::JoinHandle::id));
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
    });
}
