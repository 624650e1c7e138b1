//! Futures that are dropped: what they had or held is where it belongs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use gmp::chan::{self, TryRecvError};

use super::on_1_and_4;
use crate::drops::Drops;
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_dropped_receive_passes_its_value_to_the_next_that_waits() {
    let (tx, rx) = chan::bounded(0);
    let woken = Woken::new();
    let (mut first, mut second) = (rx.recv(), rx.recv());
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &woken).is_pending());
    tx.try_send(1).expect("a receiver waits");
    assert_eq!(woken.count(), 0);
    drop(first);
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(1)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn values_of_dropped_receives_come_out_before_what_was_sent_later() {
    // In whatever order the receives are dropped.
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let (tx, rx) = chan::bounded(2);
        let mut waiting: Vec<_> = (0..3).map(|_| Some(rx.recv())).collect();
        for recv in waiting.iter_mut().flatten() {
            assert!(poll(recv).is_pending());
        }
        for n in 0..5 {
            tx.try_send(n).expect("three receivers and room for two");
        }
        let mut late = tx.send(5);
        assert!(poll(&mut late).is_pending());
        for n in order {
            waiting[n] = None;
        }
        // More inside than room: nobody is let in for it.
        assert_eq!(rx.len(), 5);
        assert!(tx.try_send(9).is_err());
        for (n, left) in [4, 3, 2, 2, 1, 0].into_iter().enumerate() {
            assert_eq!(rx.try_recv(), Ok(n), "{order:?}");
            assert_eq!(rx.len(), left, "the late one comes in when there is room");
        }
        assert_eq!(poll(&mut late), Poll::Ready(Ok(())));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn a_returned_value_survives_a_close() {
    let (tx, rx) = chan::bounded(0);
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    tx.try_send(1).expect("a receiver waits");
    drop(tx);
    drop(recv);
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_receive_dropped_while_it_waits_leaves_the_queue() {
    let (tx, rx) = chan::bounded(0);
    let mut waiting: Vec<_> = (0..3).map(|_| rx.recv()).collect();
    for recv in &mut waiting {
        assert!(poll(recv).is_pending());
    }
    drop(waiting.remove(1));
    tx.try_send(1).expect("two receivers wait");
    tx.try_send(2).expect("one receiver waits");
    assert!(tx.try_send(3).is_err(), "nobody waits");
    assert_eq!(poll(&mut waiting[1]), Poll::Ready(Ok(2)));
    assert_eq!(poll(&mut waiting[0]), Poll::Ready(Ok(1)));
}

#[test]
fn a_dropped_send_takes_its_value_back() {
    let drops = Drops::new();
    let (tx, rx) = chan::bounded(1);
    tx.try_send((0, drops.token())).expect("room");
    let mut waiting: Vec<_> = (1..4).map(|n| tx.send((n, drops.token()))).collect();
    for send in &mut waiting {
        assert!(poll(send).is_pending());
    }
    // Never polled: never sent.
    drop(tx.send((9, drops.token())));
    assert_eq!(drops.count(), 1);
    drop(waiting.remove(1));
    assert_eq!(drops.count(), 2);
    // One whose value was taken has nothing to take back.
    assert_eq!(rx.try_recv().expect("inside").0, 0);
    drop(waiting.remove(0));
    assert_eq!(drops.count(), 3, "the received one alone");
    assert_eq!(rx.try_recv().expect("inside").0, 1);
    assert_eq!(rx.try_recv().expect("inside").0, 3);
    assert_eq!(
        poll(&mut waiting[0]).map(|sent| sent.is_ok()),
        Poll::Ready(true)
    );
    drop(waiting);
    drop((tx, rx));
    assert_eq!(drops.count(), 5);
}

#[test]
fn no_value_is_lost_or_doubled_where_futures_are_dropped_all_the_time() {
    on_1_and_4(|rt| {
        const SENDERS: u64 = 4;
        const EACH: u64 = 500;
        for capacity in [0, 1, 7] {
            let drops = Drops::new();
            let (tx, rx) = chan::bounded(capacity);
            let sum = Arc::new(AtomicU64::new(0));
            for s in 0..SENDERS {
                let (tx, drops) = (tx.clone(), drops.clone());
                drop(rt.spawn(async move {
                    for n in 0..EACH {
                        tx.send((s * EACH + n, drops.token()))
                            .await
                            .expect("receivers live");
                    }
                }));
            }
            drop(tx);
            let receivers: Vec<_> = (0..3)
                .map(|_| {
                    let (rx, sum) = (rx.clone(), sum.clone());
                    rt.spawn(async move {
                        let (mut got, mut left) = (0, 0_u64);
                        loop {
                            // Polled once and dropped; a value may come between.
                            let mut hasty = rx.recv();
                            let received = match futures::poll!(&mut hasty) {
                                Poll::Ready(received) => received,
                                Poll::Pending => {
                                    gmp::task::yield_now().await;
                                    drop(hasty);
                                    left += 1;
                                    rx.recv().await
                                }
                            };
                            let Ok((n, _token)) = received else {
                                return (got, left);
                            };
                            sum.fetch_add(n, Ordering::SeqCst);
                            got += 1;
                        }
                    })
                })
                .collect();
            drop(rx);
            let (mut got, mut left) = (0, 0);
            for receiver in receivers {
                let (g, l) = rt.block_on(receiver).expect("no panic");
                (got, left) = (got + g, left + l);
            }
            assert!(left > 0, "nothing was tested");
            let all = SENDERS * EACH;
            assert_eq!(got, all, "capacity {capacity}");
            assert_eq!(sum.load(Ordering::SeqCst), all * (all - 1) / 2);
            assert_eq!(drops.count() as u64, all);
        }
    });
}
