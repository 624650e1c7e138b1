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
fn waits() {
    let runtime = super::builder::started();
    runtime.block_on(async {
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, end());
        assert!(waiting.await.is_err(), "no signal was sent");
    });
}
