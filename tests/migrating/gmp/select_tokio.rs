//! Tokio's macro on gmp.

// snippet
use gmp::chan::Receiver;
use std::time::Duration;

async fn next_of_two(jobs: &Receiver<u32>, urgent: &Receiver<u32>) -> Option<u32> {
    // Tokio's macro, gmp's futures.
    tokio::select! {
        biased;
        job = urgent.recv() => job.ok(),
        job = jobs.recv() => job.ok(),
        () = gmp::time::sleep(Duration::from_secs(60)) => None,
    }
}
// end

#[test]
fn runs() {
    gmp::block_on(async {
        let (tx, rx) = gmp::chan::bounded(1);
        tx.send(7).await.expect("open");
        let (_quiet, urgent) = gmp::chan::bounded(1);
        assert_eq!(next_of_two(&rx, &urgent).await, Some(7));
    });
}
