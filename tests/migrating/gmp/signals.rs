//! Waiting for the end.

// snippet
use futures::future::{Either, select};
use gmp::signal::{SignalKind, ctrl_c, unix};
use std::pin::pin;

async fn end() -> std::io::Result<()> {
    let mut terminate = unix(SignalKind::terminate())?;
    match select(pin!(ctrl_c()), pin!(terminate.recv())).await {
        Either::Left((interrupted, _)) => interrupted,
        Either::Right(_) => Ok(()),
    }
}
// end

#[test]
fn waits() {
    gmp::block_on(async {
        let waiting = gmp::time::timeout(std::time::Duration::from_millis(1), end());
        assert!(waiting.await.is_err(), "no signal was sent");
    });
}
