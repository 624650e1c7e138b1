//! Tasks that compute in poll after poll share the cores, and each gets on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gmp::runtime::Builder;
use gmp::task::yield_now;
use gmp::time::{interval, sleep};

use crate::eventually::eventually;
use crate::watchdog::within;

fn compute(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// Counts its end, whether it came to it or was dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn many_that_compute_all_get_on_and_so_does_a_ticker() {
    within(60, || {
        for procs in [1, 2] {
            let rt = Builder::new().procs(procs).build().expect("a runtime");
            let done = Arc::new(AtomicBool::new(false));
            let ticker = rt.spawn({
                let done = done.clone();
                async move {
                    let mut ticks = interval(Duration::from_millis(1));
                    let mut n = 0;
                    while !done.load(Ordering::Relaxed) {
                        ticks.tick().await;
                        n += 1;
                    }
                    n
                }
            });
            let hogs: Vec<_> = (0..8)
                .map(|_| {
                    rt.spawn(async {
                        for turn in 0..6 {
                            compute(Duration::from_millis(13));
                            // Some go on at once, some wait in between.
                            if turn % 2 == 0 {
                                yield_now().await;
                            } else {
                                sleep(Duration::from_micros(100)).await;
                            }
                        }
                    })
                })
                .collect();
            rt.block_on(async {
                for hog in hogs {
                    hog.await.expect("no panic");
                }
                done.store(true, Ordering::Relaxed);
                assert!(ticker.await.expect("no panic") > 10);
            });
        }
    });
}

#[test]
fn a_runtime_ends_with_tasks_that_wait_for_their_turn() {
    within(60, || {
        for _ in 0..3 {
            let rt = Builder::new().procs(1).build().expect("a runtime");
            let ended = Arc::new(AtomicUsize::new(0));
            let turns = Arc::new(AtomicUsize::new(0));
            for _ in 0..6 {
                let (counted, turns) = (Counted(ended.clone()), turns.clone());
                drop(rt.spawn(async move {
                    let _counted = counted;
                    loop {
                        compute(Duration::from_millis(13));
                        turns.fetch_add(1, Ordering::Relaxed);
                        yield_now().await;
                    }
                }));
            }
            eventually("each has had some turns", || {
                turns.load(Ordering::Relaxed) > 24
            });
            drop(rt);
            assert_eq!(ended.load(Ordering::Relaxed), 6);
        }
    });
}
