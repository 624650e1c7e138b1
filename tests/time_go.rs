//! What Go's own tests of package time hold its timers to, with Go's tolerances.

#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use gmp::runtime::{Builder, Runtime};
use gmp::time::{Instant, MissedTickBehavior, Timer, after_func, interval, sleep, timeout};

use eventually::eventually;
use watchdog::within;

const MS: Duration = Duration::from_millis(1);

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Go gives its timing tests five attempts.
#[track_caller]
fn five_attempts(mut attempt: impl FnMut() -> Result<(), String>) {
    let mut failures = Vec::new();
    for _ in 0..5 {
        match attempt() {
            Ok(()) => return,
            Err(failure) => failures.push(failure),
        }
    }
    panic!("five attempts failed: {failures:?}");
}

/// TestAfterQueuing.
#[test]
fn thirteen_timers_with_mixed_delays_come_in_the_order_of_their_delays() {
    within(60, || {
        const SLOTS: [u32; 13] = [5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0];
        let delta = 20 * MS;
        five_attempts(|| {
            let rt = runtime(2);
            let _entered = rt.enter();
            let (tx, rx) = mpsc::channel();
            let begun = Instant::now();
            for slot in SLOTS {
                let tx = tx.clone();
                drop(after_func(slot * delta, move || {
                    tx.send((slot, Instant::now())).expect("waited for");
                }));
            }
            drop(tx);
            let came: Vec<_> = rx.iter().collect();
            assert_eq!(came.len(), SLOTS.len());
            for &(slot, at) in &came {
                assert!(at - begun >= slot * delta, "slot {slot} is early");
                if at - begun > slot * delta + 10 * delta {
                    return Err(format!("slot {slot} came after {:?}", at - begun));
                }
            }
            let mut sorted = SLOTS;
            sorted.sort_unstable();
            let order: Vec<_> = came.iter().map(|&(slot, _)| slot).collect();
            if order == sorted {
                return Ok(());
            }
            Err(format!("{order:?}"))
        });
    });
}

/// TestOverflowSleep.
#[test]
fn a_sleep_beyond_the_clock_does_not_disturb_another() {
    within(60, || {
        let rt = runtime(1);
        let big = Duration::from_nanos(i64::MAX.unsigned_abs());
        for long in [big, Duration::MAX] {
            let for_ever = rt.spawn(sleep(long));
            let nap = rt.spawn(sleep(25 * MS));
            rt.block_on(nap).expect("no panic");
            assert!(!for_ever.is_finished(), "{long:?} is over");
            for_ever.abort();
        }
        // The counterpart of Go's negative sleep is a deadline in the past.
        rt.block_on(gmp::time::sleep_until(Instant::now() - big));
    });
}

/// TestZeroTimer.
#[test]
fn a_hundred_thousand_zero_timers_are_all_delivered() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            rt.block_on(async {
                let (tx, mut rx) = futures::channel::mpsc::unbounded();
                for n in 0..50_000_u32 {
                    let tx = tx.clone();
                    drop(after_func(Duration::ZERO, move || {
                        tx.unbounded_send(n).expect("waited for");
                    }));
                    let got = timeout(20_000 * MS, rx.next()).await;
                    assert_eq!(got, Ok(Some(n)), "timer {n} is lost");
                }
                // And a sleep whose deadline is this very moment.
                for _ in 0..50_000 {
                    gmp::time::sleep_until(Instant::now()).await;
                }
            });
        }
    });
}

/// TestTimerModifiedEarlier.
#[test]
fn a_timer_that_is_moved_to_the_past_fires_at_once() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let task = rt.spawn(async {
                let past = Instant::now();
                for round in 0..1_000 {
                    let mut nap = pin!(sleep(3_600_000 * MS));
                    for _ in 0..10 {
                        // Go stops and resets; a reset alone says the same here.
                        let pending = futures::poll!(&mut nap).is_pending();
                        assert!(pending || nap.is_elapsed());
                        nap.as_mut().reset(past);
                    }
                    let fired = timeout(8_000 * MS, nap).await;
                    assert!(fired.is_ok(), "round {round} is lost");
                }
            });
            rt.block_on(task).expect("all fire");
        }
    });
}

/// The same with a waiter that nobody wakes but the timer.
#[test]
fn a_function_that_is_moved_nearer_by_another_thread_runs_soon() {
    within(60, || {
        let rt = runtime(1);
        let _entered = rt.enter();
        for _ in 0..500 {
            let (tx, rx) = mpsc::channel();
            let timer = after_func(3_600_000 * MS, move || tx.send(()).expect("waited for"));
            assert!(timer.reset(3_000_000 * MS));
            assert!(timer.reset(Duration::from_micros(50)));
            rx.recv().expect("it runs");
        }
    });
}

/// TestAdjustTimers: many timers, each driven through a script of resets and
/// stops, the script's pace by a seeded generator.
#[test]
fn a_hundred_timers_follow_a_script_of_resets_and_stops() {
    within(60, || {
        let rt = runtime(2);
        let _entered = rt.enter();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let fired: Arc<[AtomicUsize; 100]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
        let mut timers: Vec<(usize, Timer, usize)> = (0..100)
            .map(|n| {
                let fired = fired.clone();
                let timer = after_func(3_600_000 * MS, move || {
                    fired[n].fetch_add(1, Ordering::SeqCst);
                });
                (n, timer, 0)
            })
            .collect();
        // Odd timers end stopped, even ones fire at the end of the script.
        while !timers.is_empty() {
            let at = random.below(timers.len());
            let (n, timer, state) = &mut timers[at];
            match *state {
                0 => assert!(timer.reset(60_000 * MS)),
                1 => assert!(timer.reset(3_600_000 * MS)),
                2 => assert!(timer.reset(120_000 * MS)),
                3 => assert!(timer.reset(90_000 * MS)),
                4 => thread::yield_now(),
                5 => assert!(timer.reset(Duration::MAX)),
                6 => assert!(timer.reset(240_000 * MS)),
                7 => assert!(timer.reset(120_000 * MS)),
                8 => assert!(timer.reset(3_600_000 * MS)),
                9 if *n % 2 == 1 => assert!(timer.stop()),
                9 => assert!(timer.reset(Duration::ZERO)),
                _ => {
                    let (n, ..) = timers.swap_remove(at);
                    if n % 2 == 0 {
                        eventually("a zero reset fires", || {
                            fired[n].load(Ordering::SeqCst) == 1
                        });
                    }
                    continue;
                }
            }
            *state += 1;
        }
        for (n, fired) in fired.iter().enumerate() {
            assert_eq!(fired.load(Ordering::SeqCst), 1 - n % 2, "timer {n}");
        }
    });
}

/// A small generator, so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// TestReset.
#[test]
fn a_reset_says_whether_the_timer_was_waiting() {
    within(60, || {
        let rt = runtime(1);
        let _entered = rt.enter();
        five_attempts(|| {
            let unit = 40 * MS;
            let (tx, rx) = mpsc::channel();
            let begun = Instant::now();
            let timer = after_func(2 * unit, move || {
                tx.send(Instant::now()).expect("waited for");
            });
            thread::sleep(unit);
            if !timer.reset(2 * unit) {
                return Err("it fired before its time, or this thread slept on".to_owned());
            }
            let moved = begun.elapsed();
            let fired = rx.recv().expect("it fires") - begun;
            assert!(fired >= 3 * unit, "the reset did not move it: {fired:?}");
            assert!(!timer.reset(unit), "it has fired");
            if moved > 2 * unit {
                return Err(format!("this thread slept for {moved:?}"));
            }
            Ok(())
        });
    });
}

/// TestAfterStop.
#[test]
fn a_stopped_timer_does_not_fire() {
    within(60, || {
        let rt = runtime(1);
        let _entered = rt.enter();
        let first = Arc::new(AtomicUsize::new(0));
        let counted = first.clone();
        drop(after_func(20 * MS, move || {
            counted.store(1, Ordering::SeqCst);
        }));
        let second = after_func(3_600_000 * MS, || unreachable!("stopped"));
        assert!(second.stop(), "it was waiting");
        assert!(!second.stop(), "it was stopped before");
        let (tx, rx) = mpsc::channel::<()>();
        let third = after_func(3_600_000 * MS, move || drop(tx));
        assert!(third.stop());
        eventually("the first one fires", || first.load(Ordering::SeqCst) == 1);
        // What a stopped function had is let go, without a call.
        assert!(rx.recv().is_err());
        assert!(!second.stop());
    });
}

/// TestAfterFunc.
#[test]
fn ten_functions_start_each_other() {
    within(60, || {
        fn link(left: u32, done: mpsc::Sender<u32>) {
            drop(after_func(Duration::ZERO, move || {
                if left == 0 {
                    return done.send(0).expect("waited for");
                }
                link(left - 1, done);
                // Delays nobody but itself.
                thread::sleep(100 * MS);
            }));
        }
        let rt = runtime(1);
        let _entered = rt.enter();
        five_attempts(|| {
            let (tx, rx) = mpsc::channel();
            let begun = std::time::Instant::now();
            link(10, tx);
            assert_eq!(rx.recv(), Ok(0));
            // One after the other they take a second.
            if begun.elapsed() < 900 * MS {
                return Ok(());
            }
            Err(format!("they wait for each other: {:?}", begun.elapsed()))
        });
    });
}

/// TestTimerStopStress.
#[test]
fn hundreds_of_timers_that_are_stopped_before_their_time_never_fire() {
    within(60, || {
        let rt = runtime(2);
        let _entered = rt.enter();
        let fired = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, fired) = (rt.handle().clone(), fired.clone());
                thread::spawn(move || {
                    let _entered = handle.enter();
                    let timers: Vec<_> = (0..100)
                        .map(|_| {
                            let fired = fired.clone();
                            after_func(20_000 * MS, move || {
                                fired.fetch_add(1, Ordering::SeqCst);
                            })
                        })
                        .collect();
                    thread::sleep(10 * MS);
                    timers.iter().all(Timer::stop)
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap(), "all were waiting");
        }
        rt.block_on(sleep(MS));
        assert_eq!(fired.load(Ordering::SeqCst), 0);
    });
}

/// TestSleepZeroDeadlock.
#[test]
fn zero_sleeps_and_stops_of_the_world_do_not_deadlock() {
    within(60, || {
        let rt = runtime(4);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = {
            let (handle, stop) = (rt.handle().clone(), stop.clone());
            thread::spawn(move || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    handle.set_procs(3 + n % 2);
                }
            })
        };
        let task = rt.spawn(async {
            for _ in 0..100 {
                sleep(Duration::ZERO).await;
                let (mut tx, mut rx) = futures::channel::mpsc::channel(0);
                let sender = gmp::spawn(async move {
                    tx.send(1).await.expect("waited for");
                });
                assert_eq!(rx.next().await, Some(1));
                sender.await.expect("no panic");
            }
        });
        rt.block_on(task).expect("no panic");
        stop.store(true, Ordering::Relaxed);
        stopping.join().unwrap();
    });
}

/// TestAfterStress.
#[test]
fn a_ticker_of_one_nanosecond_ticks_beside_stops_of_the_world() {
    within(60, || {
        let rt = runtime(2);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = {
            let (handle, stop) = (rt.handle().clone(), stop.clone());
            rt.spawn(async move {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    handle.set_procs(1 + n % 2);
                    sleep(Duration::from_nanos(1)).await;
                }
            })
        };
        rt.block_on(async {
            let mut ticks = interval(Duration::from_nanos(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            for _ in 0..100 {
                ticks.tick().await;
            }
            stop.store(true, Ordering::Relaxed);
            stopping.await.expect("no panic");
        });
    });
}

/// TestAfterFuncStarvation and TestTimerFairness.
#[test]
fn timers_run_beside_a_pair_that_keeps_the_only_p_busy() {
    within(60, || {
        let rt = runtime(1);
        let _entered = rt.enter();
        let stop = Arc::new(AtomicBool::new(false));
        let (mut to, mut from) = futures::channel::mpsc::channel::<u32>(0);
        let sender = {
            let stop = stop.clone();
            rt.spawn(
                async move { while !stop.load(Ordering::Relaxed) && to.send(1).await.is_ok() {} },
            )
        };
        let receiver = rt.spawn(async move { while from.next().await.is_some() {} });
        let (tx, rx) = mpsc::channel();
        drop(after_func(Duration::from_micros(1), move || {
            tx.send(()).expect("waited for");
        }));
        rx.recv().expect("the function runs");
        let nap = rt.spawn(sleep(20 * MS));
        futures::executor::block_on(nap).expect("the timer fires");
        stop.store(true, Ordering::Relaxed);
        rt.block_on(async {
            sender.await.expect("no panic");
            receiver.await.expect("no panic");
        });
    });
}

/// TestLongAdjustTimers.
#[test]
fn five_thousand_sleepers_end_beside_a_busy_pair() {
    within(60, || {
        let rt = runtime(2);
        let (mut to, mut from) = futures::channel::mpsc::channel::<u32>(0);
        let busy = rt.spawn(async move { while to.send(1).await.is_ok() {} });
        let echo = rt.spawn(async move { while from.next().await.is_some() {} });
        let sleepers: Vec<_> = (0..5_000_u64)
            .map(|n| rt.spawn(sleep(Duration::from_micros(n * 20))))
            .collect();
        rt.block_on(async {
            for sleeper in sleepers {
                sleeper.await.expect("no panic");
            }
        });
        busy.abort();
        echo.abort();
    });
}

/// TestTicker.
#[test]
fn a_ticker_keeps_its_rate() {
    within(60, || {
        five_attempts(|| {
            runtime(1).block_on(async {
                let (count, delta) = (10, 10 * MS);
                // Before the interval reads the clock: this thread may lose its core.
                let begun = Instant::now();
                let mut ticks = interval(delta);
                ticks.tick().await;
                for _ in 0..count {
                    ticks.tick().await;
                }
                let took = begun.elapsed();
                assert!(took >= (count - 1) * delta, "early: {took:?}");
                if took <= count * delta * 13 / 10 {
                    return Ok(());
                }
                Err(format!("{took:?}"))
            })
        });
    });
}
