//! `Sender::closed`: who is told, and when.

use std::task::Poll;

use futures::future::FusedFuture;
use gmp::chan;

use crate::hand::{Woken, poll, poll_with};
use crate::{eventually, on_1_and_4};

#[test]
fn everybody_who_waits_for_the_end_is_woken_once() {
    for end in 0..3 {
        let (tx, rx) = chan::bounded::<u32>(1);
        let other = (tx.clone(), rx.clone());
        let woken = [Woken::new(), Woken::new()];
        let (mut first, mut second) = (tx.closed(), other.0.closed());
        assert!(poll_with(&mut first, &woken[0]).is_pending());
        assert!(poll_with(&mut second, &woken[1]).is_pending());
        let counts = || woken.each_ref().map(|woken| woken.count());
        // Values that come and go, and a receiver of two, change nothing.
        tx.try_send(1).expect("room");
        assert_eq!(rx.try_recv(), Ok(1));
        drop(other.1);
        assert_eq!(counts(), [0, 0]);
        assert!(poll_with(&mut first, &woken[0]).is_pending());
        match end {
            0 => drop(rx),
            1 => assert!(rx.close()),
            _ => assert!(tx.close()),
        }
        assert_eq!(counts(), [1, 1], "end {end}");
        assert!(!first.is_terminated());
        assert_eq!(poll(&mut first), Poll::Ready(()));
        assert_eq!(poll(&mut second), Poll::Ready(()));
        assert!(first.is_terminated());
        assert_eq!(poll(&mut tx.closed()), Poll::Ready(()), "it is over");
    }
}

#[test]
fn one_that_is_dropped_is_woken_no_more() {
    let (tx, rx) = chan::unbounded::<u32>();
    let woken = [Woken::new(), Woken::new()];
    let (mut gone, mut stays) = (tx.closed(), tx.closed());
    assert!(poll_with(&mut gone, &woken[0]).is_pending());
    assert!(poll_with(&mut stays, &woken[1]).is_pending());
    drop(gone);
    drop(rx);
    assert_eq!(woken.each_ref().map(|woken| woken.count()), [0, 1]);
    assert_eq!(poll(&mut stays), Poll::Ready(()));
}

#[test]
fn producers_stop_when_nobody_receives() {
    on_1_and_4(|rt| {
        let (tx, rx) = chan::bounded::<u64>(4);
        let producers: Vec<_> = (0..8)
            .map(|_| {
                let tx = tx.clone();
                rt.spawn(async move {
                    let mut sent = 0_u64;
                    loop {
                        gmp::select! {
                            () = tx.closed() => return sent,
                            result = tx.send(sent) => match result {
                                Ok(()) => sent += 1,
                                Err(_) => return sent,
                            },
                        }
                    }
                })
            })
            .collect();
        // One that has nothing to send at all.
        let idle = rt.spawn(async move { tx.closed().await });
        rt.block_on(async {
            for _ in 0..1000 {
                rx.recv().await.expect("producers live");
            }
        });
        assert!(!idle.is_finished());
        drop(rx);
        for producer in producers {
            rt.block_on(producer).expect("no panic");
        }
        eventually("the idle one ends", || idle.is_finished());
    });
}
