//! Waiting for the end.

// snippet
use gmp::signal::{SignalKind, shutdown};

async fn end() -> std::io::Result<()> {
    let asked_by = shutdown().await?;
    assert!(asked_by == SignalKind::interrupt() || asked_by == SignalKind::terminate());
    Ok(())
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
