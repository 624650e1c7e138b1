//! A test with a stopped clock.

// snippet
use gmp::time::{Duration, Instant, advance, sleep};

#[gmp::test(virtual_time = true)]
async fn an_hour_takes_no_time() {
    let start = Instant::now();
    // Nothing else can run, so the clock jumps.
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3600));

    let task = gmp::spawn(sleep(Duration::from_secs(5)));
    advance(Duration::from_secs(10)).await;
    task.await.expect("no panic");
    assert_eq!(start.elapsed(), Duration::from_secs(3610));
}
// end
