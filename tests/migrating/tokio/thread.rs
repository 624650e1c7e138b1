//! A thread that waits for a task.

// snippet
use tokio::sync::mpsc::{Receiver, Sender};

/// To be called outside the runtime only.
fn relay(from: &mut Receiver<u32>, to: &Sender<u32>) {
    while let Some(n) = from.blocking_recv() {
        to.blocking_send(n).expect("open");
    }
}
// end

#[test]
fn runs() {
    let (tx, mut from) = tokio::sync::mpsc::channel(1);
    let (to, mut rx) = tokio::sync::mpsc::channel(1);
    tx.try_send(7).expect("room");
    drop(tx);
    relay(&mut from, &to);
    assert_eq!(rx.try_recv(), Ok(7));
}
