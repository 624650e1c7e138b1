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
fn runs() {
    use rustix::process::{Signal, getpid, kill_process};

    // Polled in this order: the signal comes when somebody listens.
    let raise = async { kill_process(getpid(), Signal::TERM).expect("this process") };
    let (ended, ()) = gmp::block_on(async { futures::join!(end(), raise) });
    ended.expect("a handler");
}
