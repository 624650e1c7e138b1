//! Locks and signals between tasks.

// snippet
use gmp::sync::{Mutex, Semaphore, oneshot, watch};
use std::sync::Arc;

async fn share() -> u32 {
    let total = Arc::new(Mutex::new(0));
    *total.lock().await += 1;
    let _owned = total.clone().lock_owned().await;

    let few = Semaphore::new(2);
    let _permit = few.acquire().await.expect("open");

    let (tx, mut rx) = watch::channel(1);
    tx.send_replace(2);
    rx.changed().await.expect("the sender lives");

    let (tx, answer) = oneshot::channel();
    tx.send(*rx.borrow()).expect("the receiver lives");
    answer.await.expect("sent")
}
// end

#[test]
fn runs() {
    assert_eq!(gmp::block_on(share()), 2);
}
