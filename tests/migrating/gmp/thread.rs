//! A thread that waits for a task.

// snippet
use gmp::chan::{Receiver, Sender};

fn relay(from: &Receiver<u32>, to: &Sender<u32>) {
    while let Ok(n) = gmp::block_on(from.recv()) {
        gmp::block_on(to.send(n)).expect("open");
    }
}
// end

#[test]
fn runs() {
    let (tx, from) = gmp::chan::bounded(1);
    let (to, rx) = gmp::chan::bounded(1);
    tx.try_send(7).expect("room");
    drop(tx);
    relay(&from, &to);
    assert_eq!(rx.try_recv(), Ok(7));
}
