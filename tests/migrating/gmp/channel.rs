//! A queue of values.

// snippet
use gmp::chan;

async fn sum() -> u32 {
    let (tx, rx) = chan::bounded(8);
    for n in 0..3 {
        let tx = tx.clone();
        gmp::spawn(async move { tx.send(n).await });
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
    assert_eq!(gmp::block_on(sum()), 3);
}
