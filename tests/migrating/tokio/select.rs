//! The first of several.

// snippet
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

async fn next(jobs: &mut Receiver<u32>) -> Option<u32> {
    tokio::select! {
        job = jobs.recv() => job,
        () = tokio::time::sleep(Duration::from_secs(60)) => None,
    }
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (tx, mut rx) = tokio::sync::mpsc::channel(1);
        tx.send(7).await.expect("open");
        assert_eq!(next(&mut rx).await, Some(7));
    });
}
