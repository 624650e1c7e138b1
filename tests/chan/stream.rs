//! A receiver as a stream.

use std::task::Poll;

use futures::StreamExt;
use futures::stream::FusedStream;
use gmp::chan::{self, TryRecvError};

use super::on_1_and_4;
use crate::drops::Drops;
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_stream_ends_when_the_channel_is_closed_and_empty() {
    let (tx, mut rx) = chan::bounded(2);
    tx.try_send(1).expect("room");
    tx.try_send(2).expect("room");
    drop(tx);
    assert_eq!(poll(&mut rx.next()), Poll::Ready(Some(1)));
    assert!(!rx.is_terminated());
    assert_eq!(poll(&mut rx.next()), Poll::Ready(Some(2)));
    assert_eq!(poll(&mut rx.next()), Poll::Ready(None));
    assert!(rx.is_terminated());
    assert_eq!(poll(&mut rx.next()), Poll::Ready(None));
}

#[test]
fn streams_stand_in_a_select_until_both_have_ended() {
    on_1_and_4(|rt| {
        let (tx1, mut rx1) = chan::bounded(0);
        let (tx2, mut rx2) = chan::bounded(2);
        for (tx, from) in [(tx1, 0), (tx2, 100)] {
            drop(rt.spawn(async move {
                for n in from..from + 100 {
                    tx.send(n).await.expect("the receiver lives");
                }
            }));
        }
        let sum = rt.block_on(async {
            let mut sum = 0;
            loop {
                sum += gmp::select! {
                    n = rx1.select_next_some() => n,
                    n = rx2.select_next_some() => n,
                    complete => return sum,
                };
            }
        });
        assert_eq!(sum, 199 * 200 / 2);
    });
}

#[test]
fn a_stream_keeps_its_place_between_polls() {
    let (tx, mut rx) = chan::bounded(0);
    let other = rx.clone();
    let woken = Woken::new();
    assert!(poll_with(&mut rx.next(), &woken).is_pending());
    let mut recv = other.recv();
    assert!(poll(&mut recv).is_pending());
    tx.try_send(1).expect("receivers wait");
    assert_eq!(woken.count(), 1);
    tx.try_send(2).expect("a receiver waits");
    assert_eq!(poll(&mut recv), Poll::Ready(Ok(2)));
    assert_eq!(poll(&mut rx.next()), Poll::Ready(Some(1)));
}

#[test]
fn a_receive_of_the_same_receiver_takes_what_its_stream_was_given() {
    let (tx, mut rx) = chan::bounded(2);
    assert!(poll(&mut rx.next()).is_pending());
    for n in 1..4 {
        tx.try_send(n).expect("a receiver and room for two");
    }
    assert_eq!(poll(&mut rx.recv()), Poll::Ready(Ok(1)));
    assert_eq!(poll(&mut rx.next()), Poll::Ready(Some(2)));
    assert_eq!(rx.try_recv(), Ok(3));
    // A place that nobody polls any more is given up: the receive is woken.
    assert!(poll(&mut rx.next()).is_pending());
    let woken = Woken::new();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &woken).is_pending());
    tx.try_send(4).expect("room");
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut recv), Poll::Ready(Ok(4)));
    drop(recv);
    // The stream goes on afterwards.
    assert!(poll(&mut rx.next()).is_pending());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    tx.try_send(5).expect("room");
    assert_eq!(poll(&mut rx.next()), Poll::Ready(Some(5)));
}

#[test]
fn a_dropped_stream_passes_on_what_it_was_given() {
    let drops = Drops::new();
    let (tx, mut rx) = chan::bounded(0);
    let other = rx.clone();
    assert!(poll(&mut rx.next()).is_pending());
    tx.try_send(drops.token()).expect("a receiver waits");
    let woken = Woken::new();
    let mut recv = other.recv();
    assert!(poll_with(&mut recv, &woken).is_pending());
    drop(rx);
    assert_eq!(woken.count(), 1);
    let Poll::Ready(Ok(token)) = poll(&mut recv) else {
        panic!("the value was passed on");
    };
    assert_eq!(drops.count(), 0);
    drop((token, recv));
    // The last receiver drops what it was given, once.
    let mut last = other;
    assert!(poll(&mut last.next()).is_pending());
    tx.try_send(drops.token()).expect("a receiver waits");
    drop(last);
    assert!(tx.is_closed());
    assert_eq!(drops.count(), 2);
}
