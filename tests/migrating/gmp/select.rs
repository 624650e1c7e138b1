//! The first of several.

// snippet
use futures::FutureExt;
use gmp::chan::Receiver;
use std::time::Duration;

async fn next(jobs: &Receiver<u32>) -> Option<u32> {
    // A channel's futures stand as they are, others are fused.
    gmp::select! {
        job = jobs.recv() => job.ok(),
        () = gmp::time::sleep(Duration::from_secs(60)).fuse() => None,
    }
}
// end

#[test]
fn runs() {
    gmp::block_on(async {
        let (tx, rx) = gmp::chan::bounded(1);
        tx.send(7).await.expect("open");
        assert_eq!(next(&rx).await, Some(7));
    });
}
