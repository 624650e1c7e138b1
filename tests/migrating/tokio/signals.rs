//! Waiting for the end.

// snippet
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

async fn end() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
// end

#[test]
fn runs() {
    use rustix::process::{Signal, getpid, kill_process};

    let runtime = super::builder::started();
    // Polled in this order: the signal comes when somebody listens.
    let raise = async { kill_process(getpid(), Signal::TERM).expect("this process") };
    let (ended, ()) = runtime.block_on(async { futures::join!(end(), raise) });
    ended.expect("a handler");
}
