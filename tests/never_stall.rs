//! Nothing stalls the rest: a poll that blocks or computes loses its P, and what
//! waits behind it goes on elsewhere.

#[path = "support/child.rs"]
mod child;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "never_stall/handoff.rs"]
mod handoff;
#[path = "never_stall/order.rs"]
mod order;
#[path = "never_stall/suspend.rs"]
mod suspend;
#[path = "never_stall/turns.rs"]
mod turns;
#[path = "never_stall/watch.rs"]
mod watch;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gmp::runtime::{Builder, Handle, Rules, Runtime};
use gmp::time::sleep;

use eventually::eventually;
use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Tries `attempt` again while it fails: the machine is shared.
#[track_caller]
fn sometimes(what: &str, mut attempt: impl FnMut() -> Result<(), String>) {
    let mut failures = Vec::new();
    for _ in 0..8 {
        match attempt() {
            Ok(()) => return,
            Err(failure) => failures.push(failure),
        }
    }
    panic!("{what}: {failures:?}");
}

#[test]
fn twenty_blocking_polls_on_one_p_block_at_the_same_time() {
    within(60, || {
        sometimes("twenty polls of 100 ms", || {
            let rt = runtime(1);
            let begun = Instant::now();
            rt.block_on(async {
                let tasks: Vec<_> = (0..20)
                    .map(|_| gmp::spawn(async { thread::sleep(Duration::from_millis(100)) }))
                    .collect();
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
            let took = begun.elapsed();
            // One after the other they take 2 s.
            if took < Duration::from_millis(1500) {
                return Ok(());
            }
            Err(format!("{took:?}"))
        });
    });
}

#[test]
fn blocking_polls_wait_for_what_the_only_p_has_yet_to_run() {
    within(60, || {
        for rules in [Rules::Default, Rules::Go117] {
            let rt = Builder::new()
                .procs(1)
                .rules(rules)
                .build()
                .expect("a runtime");
            rt.block_on(async {
                // Each blocks its thread until the next one, still queued, runs.
                let barrier = Arc::new(Barrier::new(20));
                let tasks: Vec<_> = (0..20)
                    .map(|_| {
                        let barrier = barrier.clone();
                        gmp::spawn(async move { barrier.wait().is_leader() })
                    })
                    .collect();
                let mut leaders = 0;
                for task in tasks {
                    leaders += usize::from(task.await.expect("no panic"));
                }
                assert_eq!(leaders, 1);
            });
            assert!(rt.handle().metrics().handoffs > 0);
        }
    });
}

#[test]
fn a_ticker_ticks_beside_a_poll_that_computes() {
    within(60, || {
        sometimes("a ticker beside a hog", || {
            let rt = runtime(1);
            let stop = Arc::new(AtomicBool::new(false));
            let hog = {
                let stop = stop.clone();
                rt.spawn(async move {
                    let mut n = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        n = black_box(n.wrapping_mul(31).wrapping_add(7));
                    }
                    n
                })
            };
            let ticker = rt.spawn(async {
                let mut worst = Duration::ZERO;
                for _ in 0..50 {
                    let due = Instant::now() + Duration::from_millis(1);
                    sleep(Duration::from_millis(1)).await;
                    worst = worst.max(Instant::now().saturating_duration_since(due));
                }
                worst
            });
            let worst = rt.block_on(ticker).expect("it is not stalled");
            stop.store(true, Ordering::Relaxed);
            rt.block_on(hog).expect("no panic");
            if worst < Duration::from_millis(250) {
                return Ok(());
            }
            Err(format!("{worst:?} late"))
        });
    });
}

#[test]
fn more_hogs_than_ps_do_not_stop_a_chain_of_wakes() {
    within(60, || {
        let rt = runtime(2);
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicUsize::new(0));
        for _ in 0..4 {
            let (stop, begun) = (stop.clone(), begun.clone());
            drop(rt.spawn(async move {
                begun.fetch_add(1, Ordering::SeqCst);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }));
        }
        eventually("all hogs run", || begun.load(Ordering::SeqCst) == 4);
        let chain = rt.spawn(async {
            let mut sum = 0;
            for n in 0..20 {
                sum += gmp::spawn(async move {
                    gmp::task::yield_now().await;
                    n
                })
                .await
                .expect("no panic");
            }
            sum
        });
        assert_eq!(rt.block_on(chain).expect("no panic"), 190);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_task_that_is_spawned_from_outside_runs_beside_a_hog_on_every_p() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let stop = Arc::new(AtomicBool::new(false));
            for _ in 0..procs {
                let stop = stop.clone();
                drop(rt.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                }));
            }
            for n in 0..50 {
                let (tx, rx) = mpsc::channel();
                drop(rt.spawn(async move { tx.send(n).expect("waited for") }));
                assert_eq!(rx.recv(), Ok(n));
            }
            stop.store(true, Ordering::Relaxed);
        }
    });
}

#[test]
fn a_hog_that_wakes_and_spawns_after_the_loss_of_its_p_loses_nothing() {
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(async {
            let mut spawned = Vec::new();
            for n in 0..5 {
                // Long enough that the P is gone, then the runtime's own calls.
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(25) {
                    std::hint::spin_loop();
                }
                spawned.push(gmp::spawn(async move {
                    sleep(Duration::from_micros(100)).await;
                    n
                }));
                gmp::task::block_in_place(|| ());
            }
            sleep(Duration::from_micros(100)).await;
            let mut sum = 0;
            for task in spawned {
                sum += task.await.expect("no panic");
            }
            sum
        });
        // Something that wants the P all the time.
        let other = rt.spawn(async {
            loop {
                gmp::task::yield_now().await;
            }
        });
        assert_eq!(rt.block_on(task).expect("no panic"), 10);
        other.abort();
        assert!(rt.block_on(other).is_err());
    });
}

#[test]
fn a_pair_that_wakes_each_other_does_not_starve_a_third_task() {
    within(60, || {
        let rt = runtime(1);
        let (mut a_to_b, mut b_gets) = futures::channel::mpsc::channel::<()>(0);
        let (mut b_to_a, mut a_gets) = futures::channel::mpsc::channel::<()>(0);
        use futures::{SinkExt, StreamExt};
        let a = rt.spawn(async move {
            while a_to_b.send(()).await.is_ok() && a_gets.next().await.is_some() {}
        });
        let b = rt.spawn(async move {
            while b_gets.next().await.is_some() && b_to_a.send(()).await.is_ok() {}
        });
        for n in 0..20 {
            let third = rt.spawn(async move {
                gmp::task::yield_now().await;
                sleep(Duration::from_micros(100)).await;
                n
            });
            assert_eq!(futures::executor::block_on(third).expect("it runs"), n);
        }
        a.abort();
        b.abort();
    });
}

#[test]
fn hand_off_may_be_turned_off_and_blocking_sections_still_hand_theirs_off() {
    within(60, || {
        let rt = Builder::new()
            .procs(1)
            .handoff(false)
            .build()
            .expect("a runtime");
        let barrier = Arc::new(Barrier::new(2));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let barrier = barrier.clone();
                rt.spawn(async move { gmp::task::block_in_place(|| barrier.wait().is_leader()) })
            })
            .collect();
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
        let closures: Vec<_> = {
            let _entered = rt.enter();
            let barrier = Arc::new(Barrier::new(8));
            (0..8)
                .map(|_| {
                    let barrier = barrier.clone();
                    gmp::task::spawn_blocking(move || barrier.wait().is_leader())
                })
                .collect()
        };
        for closure in closures {
            rt.block_on(closure).expect("no panic");
        }
    });
}

/// T-57, Go's TestPreemptionAfterSyscall: sections that come back again and again, of
/// which some lose their P and some do not, let everybody begin, and end when told.
#[test]
fn t57_loops_of_short_sections_let_each_other_run() {
    for micros in [10, 100, 1000] {
        within(60, move || {
            for rules in [Rules::Default, Rules::Go117] {
                let rt = Builder::new().procs(2).rules(rules).build().unwrap();
                let stop = Arc::new(AtomicBool::new(false));
                let begun = Arc::new(AtomicUsize::new(0));
                let loops: Vec<_> = (0..8)
                    .map(|n| {
                        let (stop, begun) = (stop.clone(), begun.clone());
                        rt.spawn(async move {
                            begun.fetch_add(1, Ordering::SeqCst);
                            while !stop.load(Ordering::SeqCst) {
                                gmp::task::block_in_place(|| section(n % 2 == 0, micros));
                            }
                        })
                    })
                    .collect();
                let start = Instant::now();
                eventually("all eight run", || begun.load(Ordering::SeqCst) == 8);
                // One more gets its turn among them.
                let last = rt.spawn(async move { stop.store(true, Ordering::SeqCst) });
                rt.block_on(async {
                    last.await.unwrap();
                    for task in loops {
                        task.await.unwrap();
                    }
                });
                let took = start.elapsed();
                assert!(took < Duration::from_secs(5), "{rules:?}: {took:?}");
            }
        });
    }
}

/// Blocks, or does the work itself.
fn section(blocks: bool, micros: u64) {
    let time = Duration::from_micros(micros);
    if blocks {
        return thread::sleep(time);
    }
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn when_threads_run_out_tasks_wait_and_then_go_on() {
    within(60, || {
        let rt = Builder::new()
            .procs(2)
            .max_threads(4)
            .build()
            .expect("a runtime");
        let gate = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicUsize::new(0));
        for _ in 0..16 {
            let (gate, ended) = (gate.clone(), ended.clone());
            drop(rt.spawn(async move {
                while !gate.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
                ended.fetch_add(1, Ordering::SeqCst);
            }));
        }
        eventually("every thread is in use", || {
            rt.handle().metrics().threads >= 4
        });
        assert!(rt.handle().metrics().threads <= 4);
        gate.store(true, Ordering::SeqCst);
        eventually("all end", || ended.load(Ordering::SeqCst) == 16);
    });
}

#[test]
fn a_stop_of_the_world_does_not_wait_for_a_long_poll() {
    within(60, || {
        let rt = runtime(2);
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..2 {
            let stop = stop.clone();
            drop(rt.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }));
        }
        for n in [3, 1, 4, 2] {
            rt.handle().set_procs(n);
            assert_eq!(rt.handle().procs(), n);
            let task = rt.spawn(async { 1 });
            assert_eq!(rt.block_on(task).expect("no panic"), 1);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_self_respawning_task_survives_concurrent_changes_of_the_number_of_ps() {
    within(60, || {
        fn again(rounds: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
            rounds.fetch_add(1, Ordering::Relaxed);
            if !stop.load(Ordering::Relaxed) {
                drop(gmp::spawn(async move { again(rounds, stop) }));
            }
        }
        let rt = runtime(2);
        let (rounds, stop) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        drop(rt.spawn({
            let (rounds, stop) = (rounds.clone(), stop.clone());
            async move { again(rounds, stop) }
        }));
        let sleeper = rt.spawn(async {
            for _ in 0..100 {
                sleep(Duration::from_micros(300)).await;
            }
        });
        let resize = |handle: Handle, sizes: [usize; 2]| {
            move || {
                for n in 0..500 {
                    handle.set_procs(sizes[n % 2]);
                }
            }
        };
        // From plain threads, and from inside a task.
        let threads = [[1, 3], [4, 2]].map(|s| thread::spawn(resize(rt.handle().clone(), s)));
        let inside = rt.spawn({
            let handle = rt.handle().clone();
            async move {
                for n in 0..200 {
                    handle.set_procs(1 + n % 4);
                    gmp::task::yield_now().await;
                }
            }
        });
        for thread in threads {
            thread.join().unwrap();
        }
        rt.block_on(inside).expect("no panic");
        rt.block_on(sleeper).expect("no timer is lost");
        let before = rounds.load(Ordering::Relaxed);
        eventually("it goes on", || {
            rounds.load(Ordering::Relaxed) > before + 100
        });
        stop.store(true, Ordering::Relaxed);
        eventually("it ends", || rt.handle().num_tasks() == 0);
    });
}

#[test]
fn work_and_timers_of_a_p_that_goes_away_are_not_lost() {
    within(60, || {
        let rt = runtime(4);
        let done = Arc::new(AtomicUsize::new(0));
        let handle = rt.handle().clone();
        let tasks = 400;
        let all = rt.spawn({
            let done = done.clone();
            async move {
                for n in 0..tasks {
                    let done = done.clone();
                    drop(gmp::spawn(async move {
                        for _ in 0..3 {
                            sleep(Duration::from_micros(50 * (n % 40) as u64)).await;
                            gmp::task::yield_now().await;
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    }));
                }
            }
        });
        for n in [1, 4, 2, 3, 1, 1024, 1] {
            handle.set_procs(n);
            thread::sleep(Duration::from_millis(1));
        }
        rt.block_on(all).expect("no panic");
        eventually("all end", || done.load(Ordering::SeqCst) == tasks);
        assert_eq!(handle.procs(), 1);
    });
}

#[test]
fn sleep_zero_loops_neither_hang_nor_hinder_a_stop() {
    within(60, || {
        let rt = runtime(4);
        let loops: Vec<_> = (0..4)
            .map(|n| {
                rt.spawn(async move {
                    let nap = Duration::from_nanos(n % 2);
                    for _ in 0..20_000 {
                        sleep(nap).await;
                    }
                })
            })
            .collect();
        for n in 0..100 {
            rt.handle().set_procs(3 + n % 2);
        }
        for task in loops {
            rt.block_on(task).expect("no panic");
        }
    });
}
