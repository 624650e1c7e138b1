//! Who fires timers, when, and in which order, on whole runtimes: T-60, T-64 to
//! T-66 and Go's TestTimerFairness. Everything about the heap alone is in the
//! timers crate.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use gmp::__private::testing::schedtick;
use gmp::runtime::{Rules, Runtime};
use gmp::time::sleep;

use crate::one_p::{RULES, Run, run};
use crate::prims::Chan;
use crate::watched::{builder, in_trials, watch, watch_task};

/// Computes until `until`, without a safe-point.
fn spin_until(until: Instant) {
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Rule R-TIMER-13, T-60, as measured in Go: four sleepers are due when the P
/// looks at its timers again.
#[test]
fn t60_four_sleepers_due_at_once() {
    for rules in RULES {
        in_trials(|| {
            let root = async {
                let first = gmp::time::Instant::now() + Duration::from_millis(20);
                let armed = Arc::new(AtomicU32::new(0));
                let ran = Arc::new(Mutex::new(Vec::new()));
                let sleepers: Vec<_> = (1..=4_u32)
                    .map(|who| {
                        let (armed, ran) = (Arc::clone(&armed), Arc::clone(&ran));
                        gmp::spawn(async move {
                            armed.fetch_add(1, Ordering::Relaxed);
                            gmp::time::sleep_until(first + Duration::from_micros(who.into())).await;
                            ran.lock().unwrap().push(who);
                        })
                    })
                    .collect();
                while armed.load(Ordering::Relaxed) < 4 {
                    gmp::task::yield_now().await;
                }
                let in_time = gmp::time::Instant::now() < first;
                spin_until(Instant::now() + Duration::from_millis(25));
                for sleeper in sleepers {
                    sleeper.await.expect("a sleeper ends");
                }
                let ran = ran.lock().unwrap().clone();
                in_time.then_some(ran)
            };
            match run(rules, root) {
                Run::Ended(Some(ran), _) => {
                    assert_eq!(ran, [4, 1, 2, 3], "{rules:?}");
                    Ok(())
                }
                Run::Ended(None, _) => Err("the sleepers were armed too late".to_owned()),
                other => panic!("{other:?} under {rules:?}"),
            }
        });
    }
}

/// What came of a timer that was armed on a P by a poll that went on.
struct Fired {
    /// After how long its task ran.
    after: Duration,
    on: ThreadId,
    /// After how long the long poll ended.
    stuck_for: Duration,
    stuck_on: ThreadId,
}

/// `hogs` tasks take all the Ps at the same time; the first of them arms a timer of
/// 5 ms for another task and computes for `length`, the others for as long as it.
fn behind_long_polls(rules: Rules, procs: usize, hogs: u32, length: Duration) -> Fired {
    watch(builder(rules, procs), move |runtime| {
        hold_up(runtime, hogs, length)
    })
}

fn hold_up(runtime: &Runtime, hogs: u32, length: Duration) -> Fired {
    let (wakers, parked) = mpsc::channel::<Waker>();
    let (runs, ran) = mpsc::channel();
    drop(runtime.spawn(async move {
        let mut first = true;
        poll_fn(|cx| {
            if std::mem::take(&mut first) {
                wakers.send(cx.waker().clone()).expect("the test listens");
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        runs.send((Instant::now(), thread::current().id()))
            .expect("the test listens");
    }));
    let waker = parked.recv().expect("the task parks");

    let arrived = Arc::new(AtomicU32::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let meet = move || {
        arrived.fetch_add(1, Ordering::AcqRel);
        while arrived.load(Ordering::Acquire) < hogs {
            thread::yield_now();
        }
    };
    let others: Vec<_> = (1..hogs)
        .map(|_| {
            let meet = meet.clone();
            let over = Arc::clone(&over);
            runtime.spawn(async move {
                meet();
                while !over.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let hog = runtime.spawn(async move {
        meet();
        // Idle Ms are asleep by then and have not seen the timer.
        spin_until(Instant::now() + Duration::from_millis(5));
        // Before the sleep reads the clock: this thread may lose its core in between.
        let armed = Instant::now();
        let mut timer = sleep(Duration::from_millis(5));
        let answer = Pin::new(&mut timer).poll(&mut Context::from_waker(&waker));
        assert!(answer.is_pending());
        spin_until(armed + length);
        let stuck_for = armed.elapsed();
        over.store(true, Ordering::Release);
        // A timer that is dropped does not fire.
        (armed, stuck_for, thread::current().id(), timer)
    });
    let (armed, stuck_for, stuck_on, _timer) = runtime.block_on(hog).expect("the hog ends");
    for other in others {
        runtime.block_on(other).expect("a hog ends");
    }
    let (at, on) = ran.recv().expect("the timer fires");
    Fired {
        after: at.saturating_duration_since(armed),
        on,
        stuck_for,
        stuck_on,
    }
}

const STUCK: Duration = Duration::from_millis(50);

/// Rules R-TIMER-8 and R-STEAL-1, T-64: the timers of a P that is stuck in a poll
/// are fired by a thief.
#[test]
fn t64_a_thief_fires_the_timers_of_a_stuck_p() {
    for rules in RULES {
        in_trials(|| {
            let fired = behind_long_polls(rules, 2, 1, STUCK);
            assert!(fired.after >= Duration::from_millis(5));
            if fired.after > STUCK * 8 / 10 {
                return Err(format!("{rules:?}: only after {:?}", fired.after));
            }
            assert_ne!(fired.on, fired.stuck_on);
            Ok(())
        });
    }
}

/// As before, while another M sleeps in the poller for events and a later timer:
/// it does not know of the stuck P's.
#[test]
fn t64_a_poller_that_waits_for_something_else_hides_no_timer() {
    for rules in RULES {
        in_trials(|| {
            let fired = watch(builder(rules, 2), |runtime| {
                let socket = runtime.block_on(gmp::net::UdpSocket::bind("127.0.0.1:0"));
                let socket = socket.expect("a port is free");
                let reader = runtime.spawn(async move {
                    gmp::time::timeout(Duration::from_secs(3600), socket.recv(&mut [0])).await
                });
                let fired = hold_up(runtime, 1, STUCK);
                reader.abort();
                fired
            });
            if fired.after > STUCK * 8 / 10 {
                return Err(format!("{rules:?}: only after {:?}", fired.after));
            }
            Ok(())
        });
    }
}

/// Rule R-TIMER-8, T-64: with one P there is no thief.
#[test]
fn t64_the_only_p_fires_its_timers_after_the_poll() {
    for rules in RULES {
        let fired = behind_long_polls(rules, 1, 1, STUCK);
        assert!(fired.after >= fired.stuck_for, "{rules:?}");
    }
}

/// Rule R-TIMER-8, T-65: sysmon looks at timers but fires none, so while every P
/// is stuck nothing happens.
#[test]
fn t65_sysmon_fires_no_timers() {
    for rules in RULES {
        let fired = behind_long_polls(rules, 2, 2, STUCK);
        assert!(fired.after >= fired.stuck_for, "{rules:?}");
    }
}

/// Rule R-TIMER-11, T-66: a sleep of nothing is over at once: no other task runs
/// and no slice begins. So is one until a moment that has passed.
#[test]
fn t66_a_sleep_of_nothing_gives_nothing_away() {
    for rules in RULES {
        let root = async {
            let before = (schedtick(), thread::current().id());
            let ran = Arc::new(AtomicBool::new(false));
            drop(gmp::spawn({
                let ran = Arc::clone(&ran);
                async move { ran.store(true, Ordering::Relaxed) }
            }));
            let past = gmp::time::Instant::now();
            for _ in 0..100 {
                sleep(Duration::ZERO).await;
                gmp::time::sleep_until(past).await;
            }
            assert!(!ran.load(Ordering::Relaxed));
            assert_eq!((schedtick(), thread::current().id()), before);
        };
        assert!(matches!(run(rules, root), Run::Ended((), _)), "{rules:?}");
    }
}

/// Rules R-TIMER-1 and R-TIMER-10, T-66. Source: Go's TestOverflowSleep: a sleep
/// without end disturbs no other timer.
#[test]
fn t66_the_longest_sleep_never_ends() {
    for rules in RULES {
        watch_task(builder(rules, 1), async {
            let endless = gmp::spawn(sleep(Duration::MAX));
            sleep(Duration::from_millis(25)).await;
            assert!(!endless.is_finished());
            endless.abort();
            assert!(endless.await.expect_err("it cannot end").is_cancelled());
        });
    }
    let forever = gmp_timers::FOREVER;
    assert_eq!(gmp_timers::next_period(1, u64::MAX, 1), forever);
    assert_eq!(gmp_timers::next_period(forever, forever, forever), forever);
}

/// Rule R-SCHED-1. Source: Go's TestTimerFairness: timers are looked at before the
/// queues, so a busy channel cannot hide one.
#[test]
fn a_timer_is_seen_beside_a_busy_channel() {
    for rules in RULES {
        for procs in [1, 2] {
            watch_task(builder(rules, procs), async {
                let chan = Arc::new(Chan::new(0));
                let over = Arc::new(AtomicBool::new(false));
                let busy: Vec<_> = (0..2)
                    .map(|side| {
                        let (chan, over) = (Arc::clone(&chan), Arc::clone(&over));
                        gmp::spawn(async move {
                            while !over.load(Ordering::Acquire) {
                                if side == 0 {
                                    chan.send(1).await;
                                } else {
                                    chan.recv().await;
                                }
                            }
                            chan.close();
                        })
                    })
                    .collect();
                sleep(Duration::from_millis(20)).await;
                over.store(true, Ordering::Release);
                for task in busy {
                    task.await.expect("the channel is closed");
                }
            });
        }
    }
}
