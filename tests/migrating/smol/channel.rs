//! A queue of values.

// snippet
use smol::channel;

async fn sum() -> u32 {
    let (tx, rx) = channel::bounded(8);
    for n in 0..3 {
        let tx = tx.clone();
        smol::spawn(async move { tx.send(n).await }).detach();
    }
    drop(tx);
    let mut sum = 0;
    while let Ok(n) = rx.recv().await {
        sum += n;
    }
    sum
}
// end

#[test]
fn runs() {
    assert_eq!(smol::block_on(sum()), 3);
}
