//! A thread that waits for a task.

// snippet
use gmp::sync::mpsc::{Receiver, Sender};

/// To be called from anywhere.
fn relay(from: &mut Receiver<u32>, to: &Sender<u32>) {
    while let Some(n) = from.blocking_recv() {
        to.blocking_send(n).expect("open");
    }
}
// end

#[test]
fn runs() {
    let (tx, mut from) = gmp::sync::mpsc::channel(1);
    let (to, mut rx) = gmp::sync::mpsc::channel(1);
    tx.try_send(7).expect("room");
    drop(tx);
    gmp::block_on(async { relay(&mut from, &to) });
    assert_eq!(rx.try_recv(), Ok(7));
}
