//! Spawning, aborting, detaching.

// snippet
use gmp::task::JoinError;

async fn answer() -> Result<u32, JoinError> {
    let forever = gmp::spawn(std::future::pending::<()>());
    forever.abort();
    assert!(forever.await.is_err_and(|error| error.is_cancelled()));

    drop(gmp::spawn(async { /* goes on by itself */ }));
    gmp::spawn(async { 6 * 7 }).await
}
// end

#[test]
fn runs() {
    assert_eq!(gmp::block_on(answer()).expect("no panic"), 42);
}
