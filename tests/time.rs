//! Sleeps, timeouts, intervals, functions at a later time, and the stopped clock.

#[path = "support/child.rs"]
mod child;
#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/own_process.rs"]
mod own_process;
#[path = "time/periodic.rs"]
mod periodic;
#[path = "time/runtimes.rs"]
mod runtimes;
#[path = "time/wakers.rs"]
mod wakers;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use gmp::runtime::{Builder, Runtime};
use gmp::time::{
    Instant, MissedTickBehavior, advance, after_func, interval, interval_at, pause, resume, sleep,
    sleep_until, timeout, timeout_at,
};

use eventually::eventually;
use watchdog::within;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Runs `body` with a stopped clock, on one and on two Ps, as a root and as a
/// task.
#[track_caller]
fn stopped<F: Future<Output = ()> + Send + 'static>(body: impl Fn() -> F + Send + 'static) {
    within(60, move || {
        for procs in [1, 2] {
            runtime(procs).block_on(async {
                pause();
                body().await;
            });
            let rt = runtime(procs);
            let body = body();
            let task = rt.spawn(async move {
                pause();
                body.await;
            });
            if let Err(error) = rt.block_on(task) {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    });
}

// Sleeps on the running clock.

#[test]
fn a_sleep_is_never_early() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let sleepers: Vec<_> = (0..200)
                .map(|n| {
                    rt.spawn(async move {
                        let nap = Duration::from_micros(37 * n);
                        let due = std::time::Instant::now() + nap;
                        sleep(nap).await;
                        assert!(std::time::Instant::now() >= due);
                        let due = Instant::now() + nap;
                        sleep_until(due).await;
                        assert!(Instant::now() >= due);
                    })
                })
                .collect();
            for sleeper in sleepers {
                rt.block_on(sleeper).expect("not early");
            }
        }
    });
}

#[test]
fn sleeps_that_are_over_from_the_start_are_ready_at_once() {
    within(60, || {
        gmp::block_on(async {
            assert!(sleep(Duration::ZERO).now_or_never().is_some());
            assert!(sleep_until(Instant::now()).now_or_never().is_some());
            assert!(sleep_until(Instant::now() - HOUR).now_or_never().is_some());
            let long_ago = Instant::now() - Duration::MAX;
            assert!(sleep_until(long_ago).now_or_never().is_some());
            for _ in 0..100_000 {
                sleep(Duration::ZERO).await;
            }
        });
    });
}

#[test]
fn the_longest_sleep_never_ends_and_hinders_no_other() {
    within(60, || {
        let rt = runtime(1);
        rt.block_on(async {
            let mut for_ever = pin!(sleep(Duration::MAX));
            let mut until_the_end = pin!(sleep_until(Instant::now() + Duration::MAX));
            for _ in 0..20 {
                sleep(MS).await;
                assert!(futures::poll!(&mut for_ever).is_pending());
                assert!(futures::poll!(&mut until_the_end).is_pending());
            }
            assert!(!for_ever.is_elapsed());
            assert!(for_ever.deadline() > Instant::now() + HOUR);
            // And it can be given a nearer end.
            for_ever.as_mut().reset(Instant::now() + MS);
            for_ever.await;
        });
    });
}

#[test]
fn a_sleep_may_be_dropped_on_another_thread() {
    within(60, || {
        let rt = runtime(1);
        rt.block_on(async {
            for _ in 0..100 {
                let mut nap = Box::pin(sleep(HOUR));
                assert!(futures::poll!(&mut nap).is_pending());
                thread::spawn(move || drop(nap)).join().unwrap();
            }
            sleep(MS).await;
        });
        let timers: usize = rt.handle().metrics().procs.iter().map(|p| p.timers).sum();
        assert_eq!(timers, 0, "no live timer is left");
    });
}

#[test]
fn a_sleep_may_be_polled_on_any_thread_and_moves_with_its_task() {
    within(60, || {
        let rt = runtime(4);
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                rt.spawn(async move {
                    let mut nap = Box::pin(sleep(2 * MS));
                    assert!(futures::poll!(&mut nap).is_pending());
                    gmp::task::yield_now().await;
                    // A task of its own awaits it, wherever that is.
                    gmp::spawn(async move {
                        nap.await;
                        n
                    })
                    .await
                    .expect("no panic")
                })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(rt.block_on(task).expect("no panic"), n);
        }
    });
}

#[test]
fn a_sleep_that_is_reset_at_its_very_deadline_is_not_early() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let task = rt.spawn(async {
                for round in 0..1_500 {
                    let mut nap = pin!(sleep(Duration::from_micros(60)));
                    // Over already, if this thread was interrupted.
                    let _ = futures::poll!(&mut nap);
                    let spin = std::time::Instant::now();
                    while spin.elapsed() < Duration::from_nanos(55_000 + round * 13) {
                        std::hint::spin_loop();
                    }
                    let due = Instant::now() + Duration::from_micros(150);
                    nap.as_mut().reset(due);
                    nap.await;
                    assert!(Instant::now() >= due, "round {round}");
                }
            });
            rt.block_on(task).expect("not early");
        }
    });
}

#[test]
fn drops_at_the_very_deadline_lose_no_other_timer() {
    within(60, || {
        let rt = runtime(2);
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                rt.spawn(async {
                    for round in 0..2_000_u64 {
                        let mut nap = Box::pin(sleep(Duration::from_micros(40)));
                        // Over already, if this thread was interrupted.
                        let _ = futures::poll!(&mut nap);
                        let spin = std::time::Instant::now();
                        while spin.elapsed() < Duration::from_nanos(20_000 + round * 20) {
                            std::hint::spin_loop();
                        }
                        drop(nap);
                        sleep(Duration::from_micros(1)).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            rt.block_on(task).expect("no timer is lost");
        }
    });
}

#[test]
fn four_thousand_resets_do_not_starve_a_probe() {
    within(60, || {
        let rt = runtime(2);
        let resetting: Vec<_> = (0..1_000)
            .map(|_| {
                rt.spawn(async {
                    let mut nap = pin!(sleep(HOUR));
                    for _ in 0..20 {
                        assert!(futures::poll!(&mut nap).is_pending());
                        nap.as_mut().reset(Instant::now() + HOUR);
                        gmp::task::yield_now().await;
                        nap.as_mut()
                            .reset(Instant::now() + Duration::from_micros(100));
                        nap.as_mut().await;
                        nap.as_mut().reset(Instant::now() + HOUR);
                    }
                })
            })
            .collect();
        let probe = rt.spawn(async {
            for _ in 0..20 {
                sleep(MS).await;
            }
        });
        rt.block_on(probe).expect("no panic");
        for task in resetting {
            rt.block_on(task).expect("no panic");
        }
    });
}

// Resets on the stopped clock.

#[test]
fn a_reset_moves_the_end_in_both_directions() {
    stopped(|| async {
        let begun = Instant::now();
        let mut nap = pin!(sleep(100 * MS));
        assert!(futures::poll!(&mut nap).is_pending());
        // Later.
        nap.as_mut().reset(begun + 300 * MS);
        nap.as_mut().await;
        assert_eq!(begun.elapsed(), 300 * MS);
        assert!(nap.is_elapsed());
        // After its end it starts anew.
        nap.as_mut().reset(Instant::now() + HOUR);
        assert!(!nap.is_elapsed());
        assert!(futures::poll!(&mut nap).is_pending());
        // Earlier.
        nap.as_mut().reset(Instant::now() + 10 * MS);
        nap.as_mut().await;
        assert_eq!(begun.elapsed(), 310 * MS);
        // To the past.
        nap.as_mut().reset(Instant::now() + HOUR);
        assert!(futures::poll!(&mut nap).is_pending());
        nap.as_mut().reset(begun);
        nap.as_mut().await;
        assert_eq!(begun.elapsed(), 310 * MS);
        assert_eq!(nap.deadline(), begun);
    });
}

#[test]
fn a_reset_before_the_first_poll_counts() {
    stopped(|| async {
        let begun = Instant::now();
        let mut nap = pin!(sleep(HOUR));
        nap.as_mut().reset(begun + MS);
        assert_eq!(nap.deadline(), begun + MS);
        nap.await;
        assert_eq!(begun.elapsed(), MS);
    });
}

#[test]
fn a_waiting_task_sees_a_reset_by_another_thread_without_being_woken() {
    within(60, || {
        let rt = runtime(1);
        let nap = Arc::new(std::sync::Mutex::new(Box::pin(sleep(HOUR))));
        let waits = nap.clone();
        let task = rt.spawn(std::future::poll_fn(move |cx| {
            waits.lock().unwrap().as_mut().poll(cx)
        }));
        eventually("it waits", || {
            let procs = rt.handle().metrics().procs;
            procs.iter().map(|p| p.timers).sum::<usize>() == 1
        });
        nap.lock().unwrap().as_mut().reset(Instant::now() + MS);
        rt.block_on(task).expect("it ends at the new time");
    });
}

// Timeouts.

#[test]
fn a_timeout_polls_its_future_first() {
    stopped(|| async {
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        assert_eq!(timeout_at(Instant::now() - HOUR, ready(2)).await, Ok(2));
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
        // Both come due at the same moment: the value wins.
        let value = timeout(5 * MS, async {
            sleep(5 * MS).await;
            3
        });
        assert_eq!(value.await, Ok(3));
    });
}

#[test]
fn a_timeout_ends_on_time_and_hands_its_future_back() {
    stopped(|| async {
        let begun = Instant::now();
        let error = timeout(7 * MS, pending::<()>())
            .await
            .expect_err("too slow");
        assert_eq!(begun.elapsed(), 7 * MS);
        assert_eq!(error.to_string(), "deadline has elapsed");
        let io = std::io::Error::from(error);
        assert_eq!(io.kind(), std::io::ErrorKind::TimedOut);
        let until = begun + 9 * MS;
        assert!(timeout_at(until, pending::<()>()).await.is_err());
        assert_eq!(begun.elapsed(), 9 * MS);
        let mut kept = timeout(MS, ready(4));
        *kept.get_mut() = ready(5);
        assert!(kept.get_ref().clone().now_or_never().is_some());
        assert_eq!(kept.into_inner().await, 5);
        let slow = timeout(Duration::MAX, sleep(HOUR));
        assert!(slow.await.is_ok(), "the largest is no limit");
    });
}

#[test]
fn a_timeout_ends_a_future_that_never_leaves_its_poll_loop() {
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(timeout(5 * MS, async {
            loop {
                gmp::task::yield_now().await;
            }
        }));
        let end: Result<(), _> = rt.block_on(task).expect("no panic");
        assert!(end.is_err());
        let task = rt.spawn(timeout(5 * MS, async {
            loop {
                gmp::task::safepoint().await;
                std::future::poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    std::task::Poll::<()>::Pending
                })
                .now_or_never();
                gmp::task::yield_now().await;
            }
        }));
        let end: Result<(), _> = rt.block_on(task).expect("no panic");
        assert!(end.is_err());
    });
}

#[test]
fn the_waker_of_a_given_up_sleep_is_let_go() {
    within(60, || {
        struct Counted;
        impl std::task::Wake for Counted {
            fn wake(self: Arc<Self>) {}
        }
        let rt = runtime(1);
        let _entered = rt.enter();
        let counted = Arc::new(Counted);
        let waker: Waker = counted.clone().into();
        for _ in 0..1_000 {
            let mut nap = pin!(sleep(HOUR));
            let mut cx = Context::from_waker(&waker);
            assert!(nap.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(Arc::strong_count(&counted), 2, "ours and the waker");
    });
}

// The stopped clock.

#[test]
fn a_stopped_clock_stands_still_until_it_is_moved() {
    stopped(|| async {
        let begun = Instant::now();
        pause();
        for _ in 0..100 {
            gmp::task::yield_now().await;
        }
        assert_eq!(Instant::now(), begun);
        advance(HOUR).await;
        assert_eq!(begun.elapsed(), HOUR);
        advance(Duration::ZERO).await;
        assert_eq!(begun.elapsed(), HOUR);
    });
}

#[test]
fn a_stopped_clock_jumps_to_the_next_timer_when_nobody_runs() {
    stopped(|| async {
        let begun = (Instant::now(), std::time::Instant::now());
        let tasks: Vec<_> = [3_u32, 1, 2]
            .into_iter()
            .map(|n| {
                gmp::spawn(async move {
                    sleep(n * HOUR).await;
                    Instant::now()
                })
            })
            .collect();
        for (task, n) in tasks.into_iter().zip([3, 1, 2]) {
            assert_eq!(task.await.expect("no panic") - begun.0, n * HOUR);
        }
        assert_eq!(begun.0.elapsed(), 3 * HOUR);
        assert!(begun.1.elapsed() < Duration::from_secs(60));
    });
}

#[test]
fn an_advance_lets_what_comes_due_run() {
    stopped(|| async {
        let ended = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (1..=10)
            .map(|n| {
                let ended = ended.clone();
                gmp::spawn(async move {
                    sleep(n * 10 * MS).await;
                    ended.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        // All have begun to wait once each was polled.
        gmp::task::yield_now().await;
        advance(55 * MS).await;
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(ended.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn a_clock_that_runs_again_goes_on_from_where_it_stands() {
    within(60, || {
        runtime(1).block_on(async {
            let before = Instant::now();
            pause();
            advance(HOUR).await;
            resume();
            let later = Instant::now();
            assert!(later - before >= HOUR);
            sleep(5 * MS).await;
            assert!(later.elapsed() >= 5 * MS);
            assert!(Instant::now() >= later);
            resume();
            pause();
            let stands = Instant::now();
            assert!(stands >= later);
            thread::sleep(2 * MS);
            assert_eq!(Instant::now(), stands);
        });
    });
}

#[test]
fn a_stopped_clock_is_that_of_one_runtime() {
    within(60, || {
        let (a, b) = (runtime(1), runtime(1));
        a.block_on(async {
            pause();
            let begun = Instant::now();
            // The other one's time goes on.
            let other = b.spawn(async {
                let begun = Instant::now();
                sleep(2 * MS).await;
                begun.elapsed()
            });
            assert!(other.await.expect("no panic") >= 2 * MS);
            assert_eq!(begun.elapsed(), Duration::ZERO);
        });
    });
}

#[test]
fn a_stopped_clock_waits_for_blocking_work() {
    stopped(|| async {
        let begun = Instant::now();
        let work = gmp::task::spawn_blocking(move || {
            thread::sleep(3 * MS);
            Instant::now()
        });
        let nap = gmp::spawn(sleep(HOUR));
        let at = work.await.expect("no panic");
        assert_eq!(at, begun, "time stands while somebody works");
        nap.await.expect("no panic");
        assert_eq!(begun.elapsed(), HOUR);
    });
}

#[test]
fn advance_without_a_stopped_clock_names_the_cure() {
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(async { advance(MS).await });
        let error = rt.block_on(task).expect_err("the clock runs");
        let text = error.to_string();
        assert!(text.contains("pause"), "{text}");
    });
}

// Instants.

#[test]
fn instants_convert_compare_and_never_overflow() {
    let std = std::time::Instant::now();
    let ours = Instant::from(std);
    assert_eq!(std::time::Instant::from(ours), std);
    assert_eq!(ours.into_std(), Instant::from_std(std).into_std());
    assert!(ours + MS > ours && ours - MS < ours);
    assert_eq!((ours + MS) - ours, MS);
    assert_eq!(ours - (ours + MS), Duration::ZERO, "saturates");
    assert_eq!((ours + MS).duration_since(ours), MS);
    assert_eq!(ours.checked_duration_since(ours + MS), None);
    assert_eq!(ours.saturating_duration_since(ours + MS), Duration::ZERO);
    assert!(ours + Duration::MAX > ours + HOUR);
    assert!(ours - Duration::MAX < ours);
    assert_eq!(ours.checked_add(Duration::MAX), None);
    let mut moved = ours;
    moved += MS;
    moved -= MS;
    assert_eq!(moved, ours);
    assert!(!format!("{ours:?}").is_empty());
    assert!((ours + HOUR).elapsed() == Duration::ZERO);
    let mut set = Pin::new(&mut Box::pin(sleep(MS))).deadline();
    set -= Duration::MAX;
    assert!(set <= ours + MS);
}
