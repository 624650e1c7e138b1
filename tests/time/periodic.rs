//! Intervals, and functions at a later time.

use super::*;

#[test]
fn an_interval_ticks_at_once_and_then_each_period() {
    stopped(|| async {
        let begun = Instant::now();
        let mut ticks = interval(10 * MS);
        assert_eq!(ticks.period(), 10 * MS);
        for n in 0..5 {
            assert_eq!(ticks.tick().await, begun + n * 10 * MS);
            assert_eq!(begun.elapsed(), n * 10 * MS);
        }
        let mut later = interval_at(Instant::now() + 3 * MS, 4 * MS);
        let begun = Instant::now();
        assert_eq!(later.tick().await, begun + 3 * MS);
        assert_eq!(later.next().await, Some(begun + 7 * MS));
    });
}

/// The moments of the next ticks, in milliseconds, and when they were taken,
/// after `missed` in which nobody waited.
async fn after_a_pause(behavior: MissedTickBehavior, missed: Duration) -> Vec<(u128, u128)> {
    let begun = Instant::now();
    let mut ticks = interval(10 * MS);
    ticks.set_missed_tick_behavior(behavior);
    assert_eq!(ticks.missed_tick_behavior(), behavior);
    ticks.tick().await;
    advance(missed).await;
    let mut taken = Vec::new();
    for _ in 0..5 {
        let due = ticks.tick().await;
        taken.push(((due - begun).as_millis(), begun.elapsed().as_millis()));
    }
    taken
}

#[test]
fn an_interval_that_bursts_catches_up() {
    stopped(|| async {
        let taken = after_a_pause(MissedTickBehavior::Burst, 35 * MS).await;
        assert_eq!(taken, [(10, 35), (20, 35), (30, 35), (40, 40), (50, 50)]);
    });
}

#[test]
fn an_interval_that_delays_goes_on_from_the_late_tick() {
    stopped(|| async {
        let taken = after_a_pause(MissedTickBehavior::Delay, 35 * MS).await;
        assert_eq!(taken, [(10, 35), (45, 45), (55, 55), (65, 65), (75, 75)]);
    });
}

#[test]
fn an_interval_that_skips_keeps_its_phase() {
    stopped(|| async {
        let taken = after_a_pause(MissedTickBehavior::Skip, 35 * MS).await;
        assert_eq!(taken, [(10, 35), (40, 40), (50, 50), (60, 60), (70, 70)]);
        // A multiple of the period is no special case.
        let taken = after_a_pause(MissedTickBehavior::Skip, 30 * MS).await;
        assert_eq!(taken, [(10, 30), (40, 40), (50, 50), (60, 60), (70, 70)]);
    });
}

#[test]
fn an_interval_can_be_reset() {
    stopped(|| async {
        let begun = Instant::now();
        let mut ticks = interval(10 * MS);
        ticks.tick().await;
        advance(7 * MS).await;
        ticks.reset();
        assert_eq!(ticks.tick().await - begun, 17 * MS);
        ticks.reset_after(2 * MS);
        assert_eq!(ticks.tick().await - begun, 19 * MS);
        ticks.reset_at(begun + 25 * MS);
        assert_eq!(ticks.tick().await - begun, 25 * MS);
        assert_eq!(ticks.tick().await - begun, 35 * MS);
        ticks.reset_immediately();
        assert_eq!(ticks.tick().await - begun, 35 * MS);
        assert_eq!(ticks.tick().await - begun, 45 * MS);
    });
}

#[test]
fn a_tick_that_is_given_up_is_not_lost() {
    stopped(|| async {
        let begun = Instant::now();
        let mut ticks = interval(10 * MS);
        ticks.tick().await;
        for _ in 0..3 {
            assert!(timeout(2 * MS, ticks.tick()).await.is_err());
        }
        assert_eq!(ticks.tick().await - begun, 10 * MS);
    });
}

#[test]
fn an_interval_of_the_longest_period_ticks_once() {
    within(60, || {
        let rt = runtime(1);
        rt.block_on(async {
            for behavior in [
                MissedTickBehavior::Burst,
                MissedTickBehavior::Delay,
                MissedTickBehavior::Skip,
            ] {
                let mut ticks = interval(Duration::MAX);
                ticks.set_missed_tick_behavior(behavior);
                ticks.tick().await;
                assert!(timeout(2 * MS, ticks.tick()).await.is_err());
                let mut late = interval_at(Instant::now() - HOUR, Duration::MAX);
                late.set_missed_tick_behavior(behavior);
                late.tick().await;
                assert!(timeout(2 * MS, late.tick()).await.is_err());
            }
        });
    });
}

#[test]
fn an_interval_of_no_period_is_refused() {
    let caught = std::panic::catch_unwind(|| drop(interval(Duration::ZERO)));
    let panic = caught.expect_err("refused");
    let text = panic.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("period"), "{text}");
}

// Functions at a later time.

#[test]
fn after_func_runs_its_function_on_time_in_a_task() {
    stopped(|| async {
        let begun = Instant::now();
        let (tx, rx) = futures::channel::oneshot::channel();
        let timer = after_func(20 * MS, move || {
            let told = (Instant::now(), gmp::task::try_id().is_some());
            tx.send(told).expect("waited for");
        });
        let (at, in_a_task) = rx.await.expect("called");
        assert_eq!(at - begun, 20 * MS);
        assert!(in_a_task);
        assert!(!timer.stop(), "it has run");
        assert!(!timer.reset(MS), "and does not come back");
    });
}

#[test]
fn after_func_can_be_stopped_and_moved() {
    stopped(|| async {
        let begun = Instant::now();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let timer = after_func(10 * MS, move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert!(timer.reset(50 * MS));
        sleep(30 * MS).await;
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        let copy = timer.clone();
        assert!(copy.reset(5 * MS));
        sleep(6 * MS).await;
        gmp::task::yield_now().await;
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(begun.elapsed(), 36 * MS);

        let stopped = after_func(10 * MS, || unreachable!("stopped"));
        assert!(stopped.stop());
        assert!(!stopped.stop());
        assert!(!stopped.reset(MS));
        let for_ever = after_func(Duration::MAX, || unreachable!("never"));
        sleep(HOUR).await;
        assert!(for_ever.stop());
    });
}

#[test]
fn after_func_outlives_its_handle_and_waits_for_nobody() {
    within(60, || {
        let rt = runtime(1);
        let _entered = rt.enter();
        let (tx, rx) = mpsc::channel();
        let slow = tx.clone();
        drop(after_func(MS, move || {
            thread::sleep(50 * MS);
            slow.send("slow").expect("waited for");
        }));
        drop(after_func(2 * MS, move || {
            tx.send("quick").expect("waited for")
        }));
        let order: Vec<_> = rx.iter().collect();
        assert_eq!(order.len(), 2);
        let zero = mpsc::channel();
        drop(after_func(Duration::ZERO, move || {
            zero.0.send(1).expect("waited for")
        }));
        assert_eq!(zero.1.recv(), Ok(1));
    });
}

#[test]
fn a_function_runs_once_or_is_stopped_in_every_race() {
    within(60, || {
        let rt = runtime(2);
        let _entered = rt.enter();
        for round in 0..2_000_u64 {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = calls.clone();
            let timer = after_func(Duration::from_micros(30), move || {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            let spin = std::time::Instant::now();
            while spin.elapsed() < Duration::from_nanos(10_000 + round * 40) {
                std::hint::spin_loop();
            }
            let stopped = timer.stop();
            if !stopped {
                eventually("it runs", || calls.load(Ordering::SeqCst) == 1);
            }
            assert_eq!(calls.load(Ordering::SeqCst), usize::from(!stopped));
        }
    });
}
