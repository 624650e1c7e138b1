//! A queue of values.

// snippet
use tokio::sync::mpsc;

async fn sum() -> u32 {
    let (tx, mut rx) = mpsc::channel(8);
    for n in 0..3 {
        let tx = tx.clone();
        tokio::spawn(async move { tx.send(n).await });
    }
    drop(tx);
    let mut sum = 0;
    while let Some(n) = rx.recv().await {
        sum += n;
    }
    sum
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert_eq!(sum().await, 3) });
}
