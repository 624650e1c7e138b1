//! An asynchronous test.

// snippet
use tokio::sync::oneshot;

#[tokio::test]
async fn an_answer_comes() {
    let (tx, rx) = oneshot::channel();
    tokio::spawn(async move { tx.send(42) });
    assert_eq!(rx.await, Ok(42));
}
// end
