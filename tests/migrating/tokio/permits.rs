//! Room that is kept before a value is made.

// snippet
use tokio::sync::mpsc::Sender;

/// Makes a number only if there is room for it, and stops when nobody receives.
async fn produce(mut tx: Sender<u32>) -> u32 {
    let mut made = 0;
    while let Ok(permit) = tx.reserve_owned().await {
        tx = permit.send(made);
        made += 1;
    }
    made
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
        let made = tokio::spawn(produce(tx));
        assert_eq!((rx.recv().await, rx.recv().await), (Some(0), Some(1)));
        drop(rx);
        assert!(made.await.expect("no panic") >= 2);
    });
}
