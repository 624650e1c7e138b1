//! Spawning, cancelling, detaching.

// snippet
async fn answer() -> u32 {
    let forever = smol::spawn(std::future::pending::<()>());
    assert!(forever.cancel().await.is_none());

    smol::spawn(async { /* goes on by itself */ }).detach();
    smol::spawn(async { 6 * 7 }).await
}
// end

#[test]
fn runs() {
    assert_eq!(smol::block_on(answer()), 42);
}
