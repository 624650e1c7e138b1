//! Calls of a library that needs Tokio.

// snippet
use gmp::compat::CompatExt;

async fn call() -> u32 {
    let library = async {
        let job = tokio::spawn(async { 6 * 7 });
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        job.await.expect("no panic")
    };
    library.compat().await
}
// end

#[test]
fn runs() {
    assert_eq!(gmp::block_on(call()), 42);
}
