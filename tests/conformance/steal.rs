//! Work spreads over Ps: tasks that can only end if they run at the same time.
//!
//! The polls here spin without a safe-point and the Ps stay with their polls, so
//! each task needs an M of its own, which somebody has to have started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gmp::runtime::{Handle, Rules};

use crate::one_p::RULES;
use crate::watched::{builder, has_cores, watch, watch_task};

/// Rounds of one rotation.
const ROUNDS: u32 = 3;
/// Rotations of one test.
const TRIES: usize = 10;

/// Task number `who` of `count`: waits for its turn, spinning, and passes it on. On a
/// loaded machine it gives its core away now and then, but never its P.
fn rotate(turn: &AtomicU32, who: u32, count: u32) {
    for round in 0..ROUNDS {
        let mut spins = 0_u32;
        while turn.load(Ordering::Acquire) != round * count + who {
            spins += 1;
            if spins.is_multiple_of(10_000) {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
        turn.store(round * count + who + 1, Ordering::Release);
    }
}

/// `count` tasks in strict rotation; ends when all have run at the same time.
async fn rotation(count: u32) {
    let turn = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..count)
        .map(|who| {
            let turn = Arc::clone(&turn);
            gmp::spawn(async move { rotate(&turn, who, count) })
        })
        .collect();
    for task in tasks {
        task.await.expect("a rotating task ends");
    }
}

/// Rules R-SPIN-2 and R-STEAL-1. Source: Go's TestGoroutineParallelism.
#[test]
fn tasks_run_on_as_many_ps_as_there_are() {
    if !has_cores(2) {
        return;
    }
    for rules in RULES {
        watch_task(builder(rules, 2), async {
            for _ in 0..TRIES {
                rotation(2).await;
            }
        });
    }
}

/// What Go's TestGoroutineParallelism2 does before it looks.
#[derive(Clone, Copy)]
struct Before {
    /// Let every P run a task, so that Ms have parked again.
    load: bool,
    /// Let somebody wait in the netpoller.
    poller: bool,
}

/// The tasks are spawned by a task and not by the first one.
async fn nested(before: Before) {
    const COUNT: u32 = 2;
    if before.load {
        rotation(COUNT).await;
    }
    let sleeper = before
        .poller
        .then(|| gmp::spawn(gmp::time::sleep(Duration::from_secs(3600))));
    let inner = gmp::spawn(async {
        let turn = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..COUNT)
            .map(|who| {
                let turn = Arc::clone(&turn);
                gmp::spawn(async move { rotate(&turn, who, COUNT) })
            })
            .collect();
        for task in tasks {
            task.await.expect("a rotating task ends");
        }
    });
    inner.await.expect("all tasks ran at the same time");
    if let Some(sleeper) = sleeper {
        sleeper.abort();
    }
}

fn run_nested(before: Before) {
    if !has_cores(2) {
        return;
    }
    for rules in RULES {
        watch_task(builder(rules, 2), async move {
            for _ in 0..TRIES {
                nested(before).await;
            }
        });
    }
}

/// Rules R-SPIN-2 to 6. Source: Go's TestGoroutineParallelism2, after nothing.
#[test]
fn nested_tasks_run_at_the_same_time() {
    run_nested(Before {
        load: false,
        poller: false,
    });
}

/// As above, after Ms have parked.
#[test]
fn nested_tasks_run_at_the_same_time_after_a_load() {
    run_nested(Before {
        load: true,
        poller: false,
    });
}

/// As above, with an M in the netpoller.
#[test]
fn nested_tasks_run_at_the_same_time_beside_the_poller() {
    for load in [false, true] {
        run_nested(Before { load, poller: true });
    }
}

/// Rule T-28, the second half: one task readies many, and the chain of Ms that
/// wake each other reaches all eight Ps. Threads need no cores of their own here:
/// who waits gives its core away.
#[test]
fn t28_the_chain_reaches_eight_ps() {
    const PROCS: usize = 8;
    for rules in RULES {
        watch_task(builder(rules, PROCS), async {
            let arrived = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..PROCS)
                .map(|_| {
                    let arrived = Arc::clone(&arrived);
                    gmp::spawn(async move {
                        arrived.fetch_add(1, Ordering::AcqRel);
                        while arrived.load(Ordering::Acquire) < PROCS {
                            thread::yield_now();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("all eight ran at the same time");
            }
        });
    }
}

fn steals(handle: &Handle) -> u64 {
    handle.metrics().procs.iter().map(|p| p.steals).sum()
}

/// Rules R-STEAL-4 and R-SPIN-2: what lies behind a long poll is stolen, also
/// when it is a lone task in `runnext` that nobody was woken for.
#[test]
fn a_lone_task_behind_a_long_poll_is_stolen() {
    for rules in RULES {
        for behind in [1, 3] {
            watch(builder(rules, 2), move |runtime| {
                let handle = runtime.handle().clone();
                let task = runtime.spawn(async move {
                    let ran = Arc::new(AtomicU32::new(0));
                    for _ in 0..behind {
                        let ran = Arc::clone(&ran);
                        drop(gmp::spawn(async move {
                            ran.fetch_add(1, Ordering::AcqRel);
                        }));
                    }
                    while ran.load(Ordering::Acquire) < behind {
                        thread::yield_now();
                    }
                });
                runtime.block_on(task).expect("others ran its children");
                assert!(steals(&handle) > 0, "{rules:?}");
            });
        }
    }
}

/// Rule R-STEAL-5, and the count of Go's TestBigGOMAXPROCS: more Ps than one word
/// of a mask has bits.
#[test]
fn a_thousand_ps_start_and_stop() {
    watch_task(builder(Rules::Default, 1024), async {
        let tasks: Vec<_> = (0..2000_u32)
            .map(|n| gmp::spawn(async move { n }))
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("a number");
        }
        assert_eq!(sum, 1999 * 1000);
    });
}
