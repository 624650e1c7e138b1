//! Calls of a library that needs Tokio.

// snippet
async fn call() -> u32 {
    // What a library does that looks for its runtime in the thread.
    let job = tokio::spawn(async { 6 * 7 });
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    job.await.expect("no panic")
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert_eq!(call().await, 42) });
}
