//! An asynchronous test.

// snippet
use gmp::sync::oneshot;

#[gmp::test(leak_check = true)]
async fn an_answer_comes() {
    let (tx, rx) = oneshot::channel();
    gmp::spawn(async move { tx.send(42) });
    assert_eq!(rx.await, Ok(42));
}
// end
