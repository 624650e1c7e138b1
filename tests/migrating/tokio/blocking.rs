//! A call that blocks.

// snippet
use std::path::PathBuf;

async fn size(path: PathBuf) -> std::io::Result<u64> {
    let call = move || std::fs::metadata(path).map(|found| found.len());
    tokio::task::spawn_blocking(call).await?
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert!(size("Cargo.toml".into()).await.is_ok_and(|size| size > 0)) });
}
