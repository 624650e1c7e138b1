//! The end of a runtime of which somebody has a task.

use std::future::pending;
use std::time::Duration;

use super::drops::Drops;
use super::eventually::eventually;
use super::runtime;
use super::watchdog::within;

/// A suspender may be the one who waits for the end: it is named and not waited for.
#[test]
fn a_shutdown_does_not_wait_for_a_suspender() {
    within(60, || {
        for by_drop in [true, false] {
            let drops = Drops::new();
            let rt = runtime(2);
            let handle = rt.handle().clone();
            let [held, other] = [drops.token(), drops.token()].map(|token| {
                rt.spawn(async move {
                    let _token = token;
                    pending::<()>().await;
                })
            });
            let suspended = {
                let _here = rt.enter();
                gmp::profiler::suspend(held.id(), Duration::MAX).expect("it waits")
            };
            if by_drop {
                drop(rt);
            } else {
                let report = rt.shutdown_timeout(Duration::MAX);
                let [line] = &report.still_running[..] else {
                    panic!("{report:?}");
                };
                let head = format!("goroutine {} [waiting (scan)]:\ncreated at ", held.id());
                assert!(line.starts_with(&head) && line.contains(file!()), "{line}");
                assert_eq!(report.cancelled, 1, "{report:?}");
            }
            assert_eq!(drops.count(), 1);
            assert!(other.is_finished() && !held.is_finished());
            drop(suspended);
            eventually("it is dropped when it is let go", || drops.count() == 2);
            let error = futures::executor::block_on(held).expect_err("cancelled");
            assert!(error.is_cancelled());
            eventually("and then it is gone", || handle.num_tasks() == 0);
        }
    });
}
