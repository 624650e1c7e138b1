//! Sleeping, time-outs, ticks.

// snippet
use smol::Timer;
use smol::future::FutureExt;
use smol::stream::StreamExt;
use std::time::{Duration, Instant};

async fn wait() -> Duration {
    let start = Instant::now();
    Timer::after(Duration::from_millis(1)).await;
    Timer::at(start + Duration::from_millis(2)).await;

    let forever = std::future::pending::<Result<(), Instant>>();
    let end = async { Err(Timer::after(Duration::from_millis(1)).await) };
    assert!(forever.or(end).await.is_err());

    let mut ticks = Timer::interval(Duration::from_millis(1));
    ticks.next().await;
    start.elapsed()
}
// end

#[test]
fn runs() {
    assert!(smol::block_on(wait()).as_millis() >= 3);
}
