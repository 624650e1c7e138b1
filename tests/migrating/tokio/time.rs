//! Sleeping, time-outs, ticks.

// snippet
use tokio::time::{self, Duration, Instant, MissedTickBehavior};

async fn wait() -> Duration {
    let start = Instant::now();
    time::sleep(Duration::from_millis(1)).await;
    time::sleep_until(start + Duration::from_millis(2)).await;

    let forever = std::future::pending::<()>();
    let late = time::timeout(Duration::from_millis(1), forever).await;
    assert!(late.is_err());

    let mut ticks = time::interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    start.elapsed()
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert!(wait().await.as_millis() >= 3) });
}
