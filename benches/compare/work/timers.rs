//! What do timers cost, armed and cancelled, and armed and fired?

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::cell::Latch;
use crate::kit::scale::Scale;
use crate::measure::{Meter, Sample, measured};
use crate::runtime::Runtime;

/// Tasks that arm and cancel.
const CHURNERS: u64 = 8;
/// Timers between two yields: below the poll budget after which some runtimes refuse to arm.
const STRETCH: u64 = 64;

/// Timers that stand beside the churn.
const STANDING: u64 = 1000;
/// How often something is due meanwhile.
const TICK: Duration = Duration::from_millis(100);

/// Op: one timer armed, seconds to a minute ahead, and cancelled. As in a server, other timers stand and one ticks: with
/// none, each new timer would be the earliest and some runtimes would interrupt their wait for it every time.
pub(crate) async fn churn<R: Runtime>(scale: Scale) -> Sample {
    for i in 0..STANDING {
        R::detach(R::sleep(Duration::from_secs(100 + i)));
    }
    R::detach(async {
        loop {
            R::sleep(TICK).await;
        }
    });
    // The ticker is armed and the driver has seen it when a later timer has fired.
    R::sleep(Duration::from_millis(1)).await;
    measured(
        scale.pick(4_000_000, 1_000_000, 2 * CHURNERS * STRETCH),
        |timers| async move {
            let done = Latch::new(CHURNERS);
            for _ in 0..CHURNERS {
                R::detach(async move {
                    for i in 0..timers / CHURNERS {
                        arm_and_cancel(R::sleep(Duration::from_millis(
                            1_000 + scatter(i) % 60_000,
                        )))
                        .await;
                        if i % STRETCH == STRETCH - 1 {
                            R::yield_now().await;
                        }
                    }
                    done.arrive();
                });
            }
            done.wait().await;
        },
    )
    .await
}

async fn arm_and_cancel(sleep: impl Future<Output = ()>) {
    let mut sleep = pin!(sleep);
    poll_fn(|cx| {
        assert!(
            sleep.as_mut().poll(cx).is_pending(),
            "a second has not passed yet"
        );
        Poll::Ready(())
    })
    .await;
}

/// Op: one task, spawned, put to sleep and woken. Due times are spread evenly over one second, in no order.
pub(crate) async fn sleepers<R: Runtime>(scale: Scale) -> Sample {
    sleep_and_wake::<R>(
        scale.pick(1_000, 1_000, 10),
        Duration::ZERO,
        Duration::from_millis(1),
    )
    .await;
    let count = scale.pick(1_000_000, 100_000, 200);
    // The lead lets a slow contender arm them all before the first is due.
    let lead = scale.pick(
        Duration::from_secs(3),
        Duration::from_millis(500),
        Duration::from_millis(5),
    );
    let spread = scale.pick(
        Duration::from_secs(1),
        Duration::from_secs(1),
        Duration::from_millis(5),
    );
    let meter = Meter::start();
    let late = sleep_and_wake::<R>(count, lead, spread).await;
    meter.stop(count).with_latencies(late)
}

/// Returns how late each of the sleepers woke, in ns.
async fn sleep_and_wake<R: Runtime>(count: u64, lead: Duration, spread: Duration) -> Vec<u64> {
    let late: &'static [AtomicU64] = Box::leak((0..count).map(|_| AtomicU64::new(0)).collect());
    let done = Latch::new(count);
    let first = Instant::now() + lead;
    for (i, slot) in late.iter().enumerate() {
        let due = first + spread.mul_f64((scatter(i as u64) % count) as f64 / count as f64);
        R::detach(async move {
            R::sleep(due.saturating_duration_since(Instant::now())).await;
            slot.store(due.elapsed().as_nanos() as u64, Ordering::Relaxed);
            done.arrive();
        });
    }
    done.wait().await;
    late.iter()
        .map(|slot| slot.load(Ordering::Relaxed))
        .collect()
}

/// Disorder that is the same in every run.
fn scatter(i: u64) -> u64 {
    i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}
