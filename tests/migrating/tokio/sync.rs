//! Locks and signals between tasks.

// snippet
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore, oneshot, watch};

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert_eq!(share().await, 2) });
}
