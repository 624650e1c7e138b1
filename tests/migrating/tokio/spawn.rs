//! Spawning, aborting, detaching.

// snippet
use tokio::task::JoinError;

async fn answer() -> Result<u32, JoinError> {
    let forever = tokio::spawn(std::future::pending::<()>());
    forever.abort();
    assert!(forever.await.is_err_and(|error| error.is_cancelled()));

    drop(tokio::spawn(async { /* goes on by itself */ }));
    tokio::spawn(async { 6 * 7 }).await
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert_eq!(answer().await.expect("no panic"), 42) });
}
