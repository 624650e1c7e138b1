//! Several values at once, and senders that do not keep a channel open.

use std::task::Poll;

use futures::StreamExt;
use gmp::chan;

use crate::hand::{Woken, poll, poll_with};
use crate::on_1_and_4;

#[test]
fn a_batch_is_what_is_there_up_to_the_limit() {
    let (tx, rx) = chan::bounded(4);
    let mut batch = vec![100];
    assert_eq!(poll(&mut rx.recv_many(&mut batch, 0)), Poll::Ready(0));
    let woken = Woken::new();
    {
        let mut many = rx.recv_many(&mut batch, 10);
        assert!(poll_with(&mut many, &woken).is_pending());
        tx.try_send(1).expect("it waits for one");
        tx.try_send(2).expect("room");
        assert_eq!(woken.count(), 1);
        assert_eq!(poll(&mut many), Poll::Ready(2));
    }
    assert_eq!(batch, [100, 1, 2]);
    for n in 3..7 {
        tx.try_send(n).expect("room");
    }
    // Those who wait to send get the room.
    let (mut fifth, mut sixth) = (tx.send(7), tx.send(8));
    assert!(poll_with(&mut fifth, &woken).is_pending());
    assert!(poll_with(&mut sixth, &woken).is_pending());
    assert_eq!(poll(&mut rx.recv_many(&mut batch, 3)), Poll::Ready(3));
    assert_eq!(batch, [100, 1, 2, 3, 4, 5]);
    assert_eq!(woken.count(), 3);
    assert!(poll(&mut fifth).is_ready() && poll(&mut sixth).is_ready());
    drop((fifth, sixth));
    drop(tx);
    batch.clear();
    assert_eq!(
        poll(&mut rx.recv_many(&mut batch, usize::MAX)),
        Poll::Ready(3)
    );
    assert_eq!(batch, [6, 7, 8]);
    assert_eq!(poll(&mut rx.recv_many(&mut batch, 5)), Poll::Ready(0));
}

#[test]
fn a_batch_that_is_dropped_loses_nothing() {
    let (tx, mut rx) = chan::unbounded();
    let mut batch = Vec::new();
    let mut many = rx.recv_many(&mut batch, 5);
    assert!(poll(&mut many).is_pending());
    tx.try_send(1).expect("handed to it");
    tx.try_send(2).expect("never full");
    drop(many);
    assert!(batch.is_empty());
    assert_eq!(poll(&mut rx.recv_many(&mut batch, 5)), Poll::Ready(2));
    assert_eq!(batch, [1, 2]);
    // What was handed to the receiver as a stream comes first.
    assert!(poll(&mut rx.next()).is_pending());
    tx.try_send(3).expect("handed to the stream");
    tx.try_send(4).expect("never full");
    assert_eq!(poll(&mut rx.recv_many(&mut batch, 5)), Poll::Ready(2));
    assert_eq!(batch, [1, 2, 3, 4]);
}

#[test]
fn batches_on_several_ps() {
    on_1_and_4(|rt| {
        let total: u64 = rt.block_on(async {
            let (tx, rx) = chan::bounded(16);
            for _ in 0..4 {
                let tx = tx.clone();
                gmp::spawn(async move {
                    for n in 0..1000_u64 {
                        tx.send(n).await.expect("open");
                    }
                });
            }
            drop(tx);
            let (mut total, mut batch) = (0, Vec::new());
            while rx.recv_many(&mut batch, 7).await > 0 {
                assert!(batch.len() <= 7);
                total += batch.drain(..).sum::<u64>();
            }
            total
        });
        assert_eq!(total, 4 * 499_500);
    });
}

#[test]
fn a_weak_sender_keeps_nothing_open() {
    let (tx, rx) = chan::bounded(1);
    let weak = tx.downgrade();
    assert_eq!((tx.strong_count(), tx.weak_count()), (1, 1));
    let second = weak.clone().upgrade().expect("the first lives");
    drop(tx);
    assert!(!rx.is_closed(), "the second lives");
    second.try_send(1).expect("room");
    drop(second);
    assert!(rx.is_closed());
    assert!(weak.upgrade().is_none());
    assert_eq!(rx.try_recv(), Ok(1));
    // Closed by a receiver: there is a sender still, and it is told.
    let (tx, rx) = chan::unbounded();
    let weak = tx.downgrade();
    drop(rx);
    let late = weak.upgrade().expect("tx lives");
    assert!(late.try_send(1).expect_err("closed").is_closed());
    drop((tx, late));
    assert!(weak.upgrade().is_none());
}
