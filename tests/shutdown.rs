//! The end of a runtime: every task is dropped once, in bounded time, whatever
//! meets it.

#[path = "support/child.rs"]
mod child;
#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/own_process.rs"]
mod own_process;
#[path = "shutdown/places.rs"]
mod places;
#[path = "shutdown/suspended.rs"]
mod suspended;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::cell::RefCell;
use std::fs;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use gmp::runtime::{Builder, Handle, Runtime};
use gmp::time::sleep;

use drops::{Drops, Token};
use eventually::eventually;
use own_process::passed_alone;
use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// A task that is inside its poll until it is told to end, and holds a token.
fn stuck(rt: &Runtime, token: Token) -> mpsc::Sender<()> {
    let (stop, stopped) = mpsc::channel::<()>();
    let (tx, begun) = mpsc::channel();
    drop(rt.spawn(async move {
        let _token = token;
        tx.send(()).expect("waited for");
        // The end of the sender ends it as well.
        let _ = stopped.recv();
        pending::<()>().await;
    }));
    begun.recv().expect("the task runs");
    stop
}

#[test]
fn every_task_is_dropped_once_before_drop_returns() {
    within(60, || {
        for procs in [1, 2, 4] {
            let drops = Drops::new();
            let rt = runtime(procs);
            let (never, silence) = oneshot::channel::<()>();
            let silence = futures::FutureExt::shared(silence);
            for n in 0..1_000 {
                let (token, silence) = (drops.token(), silence.clone());
                drop(rt.spawn(async move {
                    let _token = token;
                    match n % 5 {
                        0 => {}
                        1 => loop {
                            gmp::task::yield_now().await;
                        },
                        2 => sleep(Duration::from_secs(3600)).await,
                        3 => drop(silence.await),
                        _ => drop(gmp::spawn(pending::<()>()).await),
                    }
                }));
            }
            let handle = rt.handle().clone();
            drop(rt);
            assert_eq!(drops.count(), 1_000);
            assert_eq!(handle.num_tasks(), 0);
            drop(never);
        }
    });
}

#[test]
fn the_drops_of_futures_may_wake_spawn_lock_and_block() {
    struct Busy {
        handle: Handle,
        lock: Arc<Mutex<u32>>,
        waker: Waker,
        drops: Drops,
    }
    impl Drop for Busy {
        fn drop(&mut self) {
            self.waker.wake_by_ref();
            let token = self.drops.token();
            let late = self.handle.spawn(async move {
                let _token = token;
                pending::<()>().await;
            });
            assert!(late.is_finished(), "it came too late");
            *self.lock.lock().unwrap() += 1;
            thread::sleep(Duration::from_micros(100));
            gmp::task::block_in_place(|| thread::sleep(Duration::from_micros(100)));
            gmp::block_on(async { gmp::task::yield_now().await });
        }
    }
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let (lock, drops) = (Arc::new(Mutex::new(0)), Drops::new());
            for _ in 0..50 {
                let (handle, lock, drops) = (rt.handle().clone(), lock.clone(), drops.clone());
                drop(rt.spawn(async move {
                    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                    let _busy = Busy {
                        handle,
                        lock,
                        waker,
                        drops,
                    };
                    pending::<()>().await;
                }));
            }
            // Not all have begun: those have nothing to do in their drop.
            drop(rt);
            assert_eq!(drops.count(), *lock.lock().unwrap() as usize);
        }
    });
}

#[test]
fn wakers_may_fire_from_other_threads_during_and_after_shutdown() {
    within(60, || {
        for _ in 0..30 {
            let drops = Drops::new();
            let rt = runtime(2);
            let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
            for _ in 0..100 {
                let (token, wakers) = (drops.token(), wakers.clone());
                let mut first = true;
                drop(rt.spawn(poll_fn(move |cx| {
                    let _token = &token;
                    if std::mem::replace(&mut first, false) {
                        wakers.lock().unwrap().push(cx.waker().clone());
                    }
                    Poll::<()>::Pending
                })));
            }
            eventually("all wait", || wakers.lock().unwrap().len() == 100);
            let stop = Arc::new(AtomicBool::new(false));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let wakers = wakers.lock().unwrap().clone();
                    let stop = stop.clone();
                    thread::spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            wakers.iter().for_each(Waker::wake_by_ref);
                        }
                        wakers.into_iter().for_each(Waker::wake);
                    })
                })
                .collect();
            drop(rt);
            assert_eq!(drops.count(), 100);
            stop.store(true, Ordering::Relaxed);
            for thread in threads {
                thread.join().unwrap();
            }
        }
    });
}

#[test]
fn a_spawn_after_shutdown_gives_a_cancelled_error_at_once() {
    within(60, || {
        let drops = Drops::new();
        let rt = runtime(1);
        let handle = rt.handle().clone();
        drop(rt);
        let token = drops.token();
        let late = handle.spawn(async move { drop(token) });
        assert!(late.is_finished());
        assert_eq!(drops.count(), 1);
        let error = futures::executor::block_on(late).expect_err("no runtime");
        assert!(error.is_cancelled());
        let _entered = handle.enter();
        let blocking = gmp::task::spawn_blocking(|| 1);
        assert!(
            gmp::block_on(blocking)
                .expect_err("no runtime")
                .is_cancelled()
        );
        let mut set = gmp::task::JoinSet::new();
        set.spawn(async {});
        let joined = gmp::block_on(set.join_next()).expect("one task");
        assert!(joined.expect_err("no runtime").is_cancelled());
    });
}

#[test]
fn a_handle_of_a_task_that_shutdown_cancelled_resolves_on_any_thread() {
    within(60, || {
        let rt = runtime(2);
        let waiting = rt.spawn(pending::<()>());
        let awaited = rt.spawn(pending::<()>());
        let ended = rt.spawn(async { 8 });
        eventually("it ends", || ended.is_finished());
        let (tx, rx) = mpsc::channel();
        let joiner = thread::spawn(move || {
            tx.send(()).expect("waited for");
            futures::executor::block_on(awaited)
        });
        rx.recv().expect("begun");
        drop(rt);
        assert!(
            joiner
                .join()
                .unwrap()
                .expect_err("cancelled")
                .is_cancelled()
        );
        let joined = futures::executor::block_on(waiting);
        assert!(joined.expect_err("cancelled").is_cancelled());
        assert_eq!(futures::executor::block_on(ended).expect("it ended"), 8);
    });
}

#[test]
fn spawns_that_race_with_shutdown_are_all_dropped() {
    within(60, || {
        for round in 0..60 {
            let drops = Drops::new();
            let rt = runtime(1 + round % 2);
            let spawned = Arc::new(AtomicUsize::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let (handle, drops) = (rt.handle().clone(), drops.clone());
                    let (spawned, stop) = (spawned.clone(), stop.clone());
                    thread::spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            let token = drops.token();
                            spawned.fetch_add(1, Ordering::SeqCst);
                            drop(handle.spawn(async move {
                                let _token = token;
                                pending::<()>().await;
                            }));
                        }
                    })
                })
                .collect();
            eventually("some are spawned", || spawned.load(Ordering::SeqCst) > 30);
            let handle = rt.handle().clone();
            drop(rt);
            stop.store(true, Ordering::Relaxed);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(drops.count(), spawned.load(Ordering::SeqCst));
            assert_eq!(handle.num_tasks(), 0);
        }
    });
}

#[test]
fn a_task_that_keeps_spawning_itself_does_not_keep_the_runtime_alive() {
    within(60, || {
        fn again(drops: Drops, spawned: Arc<AtomicUsize>) {
            let token = drops.token();
            spawned.fetch_add(1, Ordering::SeqCst);
            drop(gmp::spawn(async move {
                let _token = token;
                again(drops, spawned);
            }));
        }
        let rt = runtime(2);
        let (drops, spawned) = (Drops::new(), Arc::new(AtomicUsize::new(0)));
        rt.block_on({
            let (drops, spawned) = (drops.clone(), spawned.clone());
            async move { again(drops, spawned) }
        });
        eventually("it goes on", || spawned.load(Ordering::SeqCst) > 1_000);
        drop(rt);
        assert_eq!(drops.count(), spawned.load(Ordering::SeqCst));
    });
}

#[test]
fn shutdown_timeout_of_any_length_is_over_at_once_when_nothing_is_stuck() {
    within(60, || {
        for timeout in [Duration::from_secs(30), Duration::MAX] {
            let drops = Drops::new();
            let rt = runtime(2);
            for _ in 0..10 {
                let token = drops.token();
                drop(rt.spawn(async move {
                    let _token = token;
                    pending::<()>().await;
                }));
            }
            let report = rt.shutdown_timeout(timeout);
            assert_eq!(drops.count(), 10);
            assert_eq!(report.cancelled, 10, "{report:?}");
            assert_eq!(report.finished, 0, "{report:?}");
            assert!(report.still_running.is_empty(), "{report:?}");
        }
    });
}

#[test]
fn shutdown_timeout_does_not_wait_longer_for_a_stuck_task() {
    within(60, || {
        for timeout in [Duration::ZERO, Duration::from_millis(1)] {
            let drops = Drops::new();
            let rt = runtime(1);
            let stop = stuck(&rt, drops.token());
            let handle = rt.handle().clone();
            let begun = Instant::now();
            let report = rt.shutdown_timeout(timeout);
            // The promise is 50 ms; this machine has other things to do.
            assert!(begun.elapsed() < Duration::from_secs(10));
            assert_eq!(report.still_running.len(), 1, "{report:?}");
            let line = &report.still_running[0];
            assert!(line.contains("[running]"), "{line}");
            assert!(line.contains(file!()), "where it was spawned: {line}");
            assert_eq!(drops.count(), 0);
            drop(stop);
            eventually("it is dropped when its poll returns", || drops.count() == 1);
            eventually("and then it is gone", || handle.num_tasks() == 0);
        }
    });
}

#[test]
fn a_shutdown_without_end_waits_for_a_stuck_task() {
    within(60, || {
        for by_drop in [true, false] {
            let drops = Drops::new();
            let rt = runtime(1);
            let stop = stuck(&rt, drops.token());
            let freed = Arc::new(AtomicBool::new(false));
            let free = freed.clone();
            let releaser = thread::spawn(move || {
                thread::sleep(Duration::from_millis(30));
                free.store(true, Ordering::SeqCst);
                drop(stop);
            });
            if by_drop {
                drop(rt);
            } else {
                let report = rt.shutdown_timeout(Duration::MAX);
                assert!(report.still_running.is_empty(), "{report:?}");
            }
            assert!(freed.load(Ordering::SeqCst), "it did not wait");
            assert_eq!(drops.count(), 1);
            releaser.join().unwrap();
        }
    });
}

#[test]
fn the_report_counts_tasks_that_end_by_themselves_and_blocking_calls() {
    within(60, || {
        let rt = runtime(1);
        let (stop, stopped) = mpsc::channel::<()>();
        let (tx, begun) = mpsc::channel();
        let blocking = {
            let _entered = rt.enter();
            gmp::task::spawn_blocking(move || {
                tx.send(()).expect("waited for");
                let _ = stopped.recv();
                5
            })
        };
        begun.recv().expect("it runs");
        drop(rt.spawn(pending::<()>()));
        let releaser = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(stop);
        });
        let report = rt.shutdown_timeout(Duration::from_secs(30));
        releaser.join().unwrap();
        assert_eq!((report.finished, report.cancelled), (1, 1), "{report:?}");
        // What a closure computed while the runtime ended is not lost.
        let value = futures::executor::block_on(blocking);
        assert_eq!(value.expect("it ended by itself"), 5);
    });
}

#[test]
fn tasks_that_come_too_late_are_not_counted() {
    struct SpawnsLate(Handle);
    impl Drop for SpawnsLate {
        fn drop(&mut self) {
            for _ in 0..100 {
                drop(self.0.spawn(pending::<()>()));
            }
        }
    }
    within(60, || {
        let rt = runtime(1);
        let handle = rt.handle().clone();
        let late = SpawnsLate(handle.clone());
        drop(rt.spawn(async move {
            let _late = late;
            pending::<()>().await;
        }));
        let report = rt.shutdown_timeout(Duration::MAX);
        assert_eq!((report.finished, report.cancelled), (0, 1), "{report:?}");
        let metrics = handle.metrics();
        assert_eq!((metrics.spawned, metrics.finished), (1, 1));
    });
}

#[test]
fn a_stream_of_late_spawns_does_not_delay_the_end() {
    within(60, || {
        let rt = runtime(1);
        let stop = Arc::new(AtomicBool::new(false));
        let closing = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (handle, stop) = (rt.handle().clone(), stop.clone());
                let closing = closing.clone();
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if handle.spawn(pending::<()>()).is_finished() {
                            closing.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(1));
        drop(rt);
        // The end did not wait for the spawners: they still come too late.
        let then = closing.load(Ordering::Relaxed);
        eventually("they go on", || closing.load(Ordering::Relaxed) > then);
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn shutdown_background_returns_at_once_and_ends_later() {
    within(60, || {
        let drops = Drops::new();
        let rt = runtime(1);
        let stop = stuck(&rt, drops.token());
        let handle = rt.handle().clone();
        rt.shutdown_background();
        assert_eq!(drops.count(), 0);
        assert!(futures::executor::block_on(handle.spawn(async {})).is_err());
        drop(stop);
        eventually("the task is dropped", || drops.count() == 1);
        eventually("no task is left", || handle.num_tasks() == 0);
    });
}

fn entries(of: &str) -> usize {
    fs::read_dir(of).expect("procfs").count()
}

#[test]
#[cfg(target_os = "linux")]
fn two_hundred_runtimes_leave_no_thread_and_no_descriptor() {
    const NAME: &str = "two_hundred_runtimes_leave_no_thread_and_no_descriptor";
    // The other tests have threads of their own.
    if within(120, || passed_alone(NAME)) {
        return;
    }
    let one = || {
        let rt = runtime(2);
        let sum = rt.block_on(async {
            sleep(Duration::from_micros(50)).await;
            let blocking = gmp::task::spawn_blocking(|| 1);
            gmp::spawn(async { 1 }).await.expect("joined") + blocking.await.expect("joined")
        });
        assert_eq!(sum, 2);
        drop(rt.spawn(pending::<()>()));
    };
    one();
    let count = || (entries("/proc/self/task"), entries("/proc/self/fd"));
    let before = count();
    for _ in 0..200 {
        one();
    }
    // A joined thread leaves the list a moment later.
    eventually("the counts are those of the beginning", || {
        count() <= before
    });
}

#[test]
fn runtimes_may_be_built_and_dropped_in_parallel() {
    within(60, || {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(|| {
                    for _ in 0..10 {
                        let rt = runtime(2);
                        assert_eq!(
                            rt.block_on(async { gmp::spawn(async { 1 }).await }).ok(),
                            Some(1)
                        );
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn hooks_balance_over_the_life_of_a_runtime() {
    within(60, || {
        let counts: Arc<[AtomicUsize; 6]> = Arc::default();
        let count = |n: usize| {
            let counts = counts.clone();
            move || {
                counts[n].fetch_add(1, Ordering::SeqCst);
            }
        };
        let with_id = |n: usize| {
            let count = count(n);
            move |_id: u64| count()
        };
        let rt = Builder::new()
            .procs(2)
            .on_thread_start(count(0))
            .on_thread_stop(count(1))
            .on_task_spawn(with_id(2))
            .on_task_terminate(with_id(3))
            .on_task_poll_start(with_id(4))
            .on_task_poll_stop(with_id(5))
            .build()
            .expect("a runtime");
        rt.block_on(async {
            let local = gmp::task::spawn_local(async {});
            for n in 0..100 {
                let task = gmp::spawn(async move {
                    assert!(n % 10 != 0, "every tenth panics");
                    gmp::task::yield_now().await;
                });
                if n % 7 == 0 {
                    task.abort();
                }
                let _ = task.await;
            }
            gmp::task::spawn_blocking(|| ()).await.expect("joined");
            local.await.expect("joined");
        });
        for _ in 0..10 {
            drop(rt.spawn(pending::<()>()));
        }
        drop(rt);
        let [started, stopped, spawned, ended, polled, back] = &*counts;
        let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        assert!(of(started) > 0);
        assert_eq!(of(started), of(stopped), "threads");
        assert_eq!(of(spawned), of(ended), "tasks");
        assert_eq!(of(spawned), 1 + 100 + 1 + 10);
        assert_eq!(of(polled), of(back), "polls");
        // One for each that panicked at once or ran to its end, at least.
        assert!(of(polled) >= 80, "{}", of(polled));
    });
}
