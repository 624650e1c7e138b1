//! Three threads at work on the same timers.

use std::sync::Barrier;

use super::*;

/// Each timer is armed a thousand times and ends each time in exactly one way: it fires, or a stop
/// wins.
#[test]
fn every_armed_timer_fires_or_is_stopped_under_contention() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    const TIMERS: usize = 16;
    const ROUNDS: usize = 1000;
    let sets = [Timers::new(), Timers::new()];
    let fired = Arc::new(Count(AtomicUsize::new(0)));
    let stopped = AtomicUsize::new(0);
    let timers: Vec<Timer> = (0..TIMERS).map(|_| Timer::new()).collect();
    let start = Barrier::new(3);
    std::thread::scope(|scope| {
        for role in 0..3_usize {
            let (sets, timers, fired, stopped, start) = (&sets, &timers, &fired, &stopped, &start);
            scope.spawn(move || {
                let mut ready = Vec::new();
                start.wait();
                for round in 0..ROUNDS {
                    let set = &sets[(round + role) % 2];
                    for (i, timer) in timers.iter().enumerate() {
                        let step = round * 31 + i * 17 + role;
                        match role {
                            // The only one to arm, so that every arming is counted.
                            0 => {
                                if timer.stop() {
                                    stopped.fetch_add(1, Ordering::Relaxed);
                                }
                                set.add(
                                    timer,
                                    100 + step as u64 % 50,
                                    &Waker::from(Arc::clone(fired)),
                                );
                            }
                            1 if step.is_multiple_of(5) && timer.stop() => {
                                stopped.fetch_add(1, Ordering::Relaxed);
                            }
                            _ => {}
                        }
                    }
                    set.check(100 + round as u64 % 50, role == 0, &mut ready);
                    ready.drain(..).for_each(Waker::wake);
                }
            });
        }
    });
    let mut ready = Vec::new();
    for set in &sets {
        set.check(1000, true, &mut ready);
        assert_eq!((set.len(), set.live(), set.next()), (0, 0, 0));
    }
    ready.into_iter().for_each(Waker::wake);
    let ended = fired.0.load(Ordering::Relaxed) + stopped.load(Ordering::Relaxed);
    assert_eq!(ended, TIMERS * ROUNDS);
    assert_eq!(Arc::strong_count(&fired), 1, "no waker is left behind");
}
