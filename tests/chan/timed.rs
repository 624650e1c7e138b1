//! Sends with a limit of time, on a clock that stands still.

use std::time::Duration;

use futures::FutureExt;
use gmp::chan::{self, SendTimeoutError};
use gmp::time::{Instant, advance, sleep};

const MINUTE: Duration = Duration::from_secs(60);

#[gmp::test(virtual_time = true)]
async fn the_value_comes_back_when_time_is_up() {
    let begin = Instant::now();
    let (tx, rx) = chan::bounded(1);
    tx.send_timeout(1, MINUTE).await.expect("room");
    let error = tx.send_timeout(2, MINUTE).await.expect_err("no room");
    assert_eq!(error, SendTimeoutError::Timeout(2));
    assert!(error.is_timeout() && error.into_inner() == 2);
    assert_eq!(begin.elapsed(), MINUTE);
    assert_eq!((rx.try_recv(), rx.len()), (Ok(1), 0));
    // The one that gave up has left the queue.
    tx.send_timeout(3, MINUTE).await.expect("room");
    assert_eq!(rx.recv().await, Ok(3));
    assert_eq!(begin.elapsed(), MINUTE);
}

#[gmp::test(virtual_time = true)]
async fn room_in_time_is_enough() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(1).expect("room");
    let taker = gmp::spawn(async move {
        sleep(MINUTE / 2).await;
        (rx.recv().await, rx.recv().await)
    });
    tx.send_timeout(2, MINUTE).await.expect("room in time");
    assert_eq!(taker.await.expect("no panic"), (Ok(1), Ok(2)));
}

#[gmp::test(virtual_time = true)]
async fn a_value_that_was_taken_in_the_last_moment_is_sent() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(1).expect("room");
    let mut send = tx.send_timeout(2, MINUTE);
    assert!((&mut send).now_or_never().is_none());
    assert_eq!(rx.try_recv(), Ok(1));
    advance(2 * MINUTE).await;
    assert_eq!(send.await, Ok(()));
    assert_eq!(rx.try_recv(), Ok(2));
    // And one whose channel was closed meanwhile is closed.
    tx.try_send(3).expect("room");
    let mut send = tx.send_timeout(4, MINUTE);
    assert!((&mut send).now_or_never().is_none());
    rx.close();
    advance(2 * MINUTE).await;
    assert_eq!(send.await, Err(SendTimeoutError::Closed(4)));
}

#[gmp::test(virtual_time = true)]
async fn no_time_at_all_is_one_attempt() {
    let (tx, _rx) = chan::bounded(1);
    tx.send_timeout(1, Duration::ZERO).await.expect("room");
    let error = tx.send_timeout(2, Duration::ZERO).await;
    assert_eq!(error, Err(SendTimeoutError::Timeout(2)));
}
