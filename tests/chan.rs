//! Channels: order, hand-over, closing, and what a dropped future leaves behind.

#[path = "chan/cancel.rs"]
mod cancel;
#[path = "chan/closing.rs"]
mod closing;
#[path = "support/dice.rs"]
mod dice;
#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/hand.rs"]
mod hand;
#[path = "chan/many.rs"]
mod many;
#[path = "support/on_1_and_4.rs"]
mod on_1_and_4;
#[path = "chan/permit.rs"]
mod permit;
#[path = "chan/random.rs"]
mod random;
#[path = "chan/reserve.rs"]
mod reserve;
#[path = "chan/select.rs"]
mod select;
#[path = "chan/stream.rs"]
mod stream;
#[path = "chan/stress.rs"]
mod stress;
#[path = "chan/timed.rs"]
mod timed;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use gmp::chan::{self, RecvError, SendError, TryRecvError, TrySendError};

use drops::Drops;
use eventually::eventually;
use hand::{Woken, poll, poll_with};
use on_1_and_4::on_1_and_4;

#[test]
fn a_rendezvous_sends_when_both_are_there() {
    let (tx, rx) = chan::bounded(0);
    assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    // The sender first.
    let woken = Woken::new();
    let mut send = tx.send(1);
    assert!(poll_with(&mut send, &woken).is_pending());
    assert_eq!(rx.len(), 0, "a waiting value is not inside");
    assert_eq!(poll(&mut rx.recv()), Poll::Ready(Ok(1)));
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut send), Poll::Ready(Ok(())));
    // The receiver first.
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &woken).is_pending());
    assert_eq!(poll(&mut tx.send(2)), Poll::Ready(Ok(())));
    assert_eq!(woken.count(), 2);
    assert_eq!(poll(&mut recv), Poll::Ready(Ok(2)));
    // Without waiting, from either side.
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    assert_eq!(tx.try_send(3), Ok(()));
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    assert_eq!(poll(&mut recv), Poll::Ready(Ok(3)));
    let mut send = tx.send(5);
    assert!(poll(&mut send).is_pending());
    assert_eq!(rx.try_recv(), Ok(5));
    assert_eq!(poll(&mut send), Poll::Ready(Ok(())));
}

#[test]
fn a_value_handed_to_a_waiting_receiver_is_nobody_elses() {
    for capacity in [Some(0), Some(1), None] {
        let (tx, rx) = capacity.map_or_else(chan::unbounded, chan::bounded);
        let mut first = rx.recv();
        assert!(poll(&mut first).is_pending());
        assert_eq!(poll(&mut tx.send(1)), Poll::Ready(Ok(())));
        assert_eq!((rx.len(), rx.try_recv()), (0, Err(TryRecvError::Empty)));
        let mut second = rx.recv();
        assert!(poll(&mut second).is_pending());
        assert_eq!(poll(&mut first), Poll::Ready(Ok(1)), "{capacity:?}");
    }
}

#[test]
fn waiting_receivers_are_served_in_the_order_of_their_coming() {
    let (tx, rx) = chan::bounded(1);
    let others = [rx.clone(), rx.clone(), rx.clone()];
    let mut waiting: Vec<_> = others.iter().map(chan::Receiver::recv).collect();
    for recv in &mut waiting {
        assert!(poll(recv).is_pending());
    }
    // A second poll does not move one to the tail.
    assert!(poll(&mut waiting[0]).is_pending());
    for n in 0..3 {
        assert_eq!(tx.try_send(n), Ok(()));
    }
    for (n, recv) in waiting.iter_mut().enumerate().rev() {
        assert_eq!(poll(recv), Poll::Ready(Ok(n)));
    }
}

#[test]
fn waiting_senders_are_let_in_in_the_order_of_their_coming() {
    for capacity in [0, 1, 3] {
        let (tx, rx) = chan::bounded(capacity);
        for n in 0..capacity {
            assert_eq!(tx.try_send(n), Ok(()));
        }
        let mut waiting: Vec<_> = (capacity..capacity + 4).map(|n| tx.send(n)).collect();
        for send in &mut waiting {
            assert!(poll(send).is_pending());
        }
        assert!(poll(&mut waiting[0]).is_pending());
        for n in 0..capacity + 4 {
            // Nobody slips in before those who wait.
            if n < 4 {
                assert_eq!(tx.try_send(99), Err(TrySendError::Full(99)));
            }
            assert_eq!(rx.try_recv(), Ok(n), "capacity {capacity}");
            assert!(rx.len() <= capacity);
        }
        for send in &mut waiting {
            assert_eq!(poll(send), Poll::Ready(Ok(())));
        }
    }
}

#[test]
fn close_ends_every_wait_and_gives_values_back() {
    let (tx, rx) = chan::bounded::<u32>(1);
    let woken = Woken::new();
    let (mut one, mut two) = (rx.recv(), rx.recv());
    assert!(poll_with(&mut one, &woken).is_pending());
    assert!(poll_with(&mut two, &woken).is_pending());
    assert!(tx.close());
    assert!(!tx.close() && !rx.close(), "closed once");
    assert_eq!(woken.count(), 2);
    assert_eq!(poll(&mut two), Poll::Ready(Err(RecvError)));
    assert_eq!(poll(&mut one), Poll::Ready(Err(RecvError)));

    let (tx, rx) = chan::bounded(1);
    let (mut one, mut two, mut three) = (tx.send(1), tx.send(2), tx.send(3));
    assert_eq!(poll(&mut one), Poll::Ready(Ok(())));
    assert!(poll_with(&mut two, &woken).is_pending());
    assert!(poll_with(&mut three, &woken).is_pending());
    assert!(rx.close());
    assert_eq!(woken.count(), 4);
    assert!(tx.is_closed() && rx.is_closed());
    assert_eq!(poll(&mut three), Poll::Ready(Err(SendError(3))));
    // What is inside still comes out, and nothing else.
    assert_eq!(poll(&mut rx.recv()), Poll::Ready(Ok(1)));
    assert_eq!(poll(&mut rx.recv()), Poll::Ready(Err(RecvError)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(poll(&mut two), Poll::Ready(Err(SendError(2))));
    assert_eq!(poll(&mut tx.send(4)), Poll::Ready(Err(SendError(4))));
    assert_eq!(tx.try_send(5), Err(TrySendError::Closed(5)));
}

#[test]
fn a_value_handed_over_before_a_close_arrives() {
    let (tx, rx) = chan::bounded(0);
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    assert_eq!(tx.try_send(1), Ok(()));
    tx.close();
    assert_eq!(poll(&mut recv), Poll::Ready(Ok(1)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn the_last_sender_closes_and_the_last_receiver_empties() {
    let (tx, rx) = chan::bounded(2);
    let other = tx.clone();
    tx.try_send(1).expect("room");
    drop(tx);
    assert!(!rx.is_closed());
    let mut recv = rx.recv();
    assert_eq!(poll(&mut recv), Poll::Ready(Ok(1)));
    let woken = Woken::new();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &woken).is_pending());
    drop(other);
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut recv), Poll::Ready(Err(RecvError)));

    let drops = Drops::new();
    let (tx, rx) = chan::bounded(2);
    let other = rx.clone();
    tx.try_send(drops.token()).expect("room");
    tx.try_send(drops.token()).expect("room");
    let mut send = tx.send(drops.token());
    assert!(poll_with(&mut send, &woken).is_pending());
    drop(rx);
    assert!(!tx.is_closed());
    assert_eq!(drops.count(), 0);
    drop(other);
    assert_eq!((drops.count(), woken.count()), (2, 2));
    let Poll::Ready(Err(SendError(token))) = poll(&mut send) else {
        panic!("the waiting value comes back");
    };
    assert_eq!(drops.count(), 2);
    drop(token);
    drop(send);
    drop(tx);
    assert_eq!(drops.count(), 3);
}

#[test]
fn an_unbounded_channel_is_never_full() {
    let (tx, rx) = chan::unbounded();
    assert_eq!((tx.capacity(), rx.capacity()), (None, None));
    for n in 0..10_000 {
        assert_eq!(poll(&mut tx.send(n)), Poll::Ready(Ok(())));
    }
    assert_eq!(tx.len(), 10_000);
    for n in 0..10_000 {
        assert_eq!(rx.try_recv(), Ok(n));
    }
    assert!(tx.is_empty() && rx.is_empty());
}

#[test]
fn the_latest_waker_of_a_waiter_is_the_one_that_is_woken() {
    let (tx, rx) = chan::bounded(0);
    let (former, latest) = (Woken::new(), Woken::new());
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &former).is_pending());
    assert!(poll_with(&mut recv, &latest).is_pending());
    assert_eq!(Arc::strong_count(&former), 1, "the former waker is dropped");
    tx.try_send(1).expect("a receiver waits");
    assert_eq!((former.count(), latest.count()), (0, 1));
    drop(recv);

    let mut send = tx.send(2);
    assert_eq!(rx.try_recv(), Ok(1), "handed back");
    assert!(poll_with(&mut send, &former).is_pending());
    assert!(poll_with(&mut send, &latest).is_pending());
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!((former.count(), latest.count()), (0, 2));
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Panics>) {
        panic!("a waker of somebody else's");
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_asleep() {
    let (tx, rx) = chan::bounded::<()>(0);
    let woken = Woken::new();
    let (mut bad, mut good) = (rx.recv(), rx.recv());
    let waker = Waker::from(Arc::new(Panics));
    assert!(
        bad.poll_unpin(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert!(poll_with(&mut good, &woken).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| tx.close())).is_err());
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut good), Poll::Ready(Err(RecvError)));
}

#[test]
fn a_waiting_task_shows_what_it_waits_for_and_where() {
    on_1_and_4(|rt| {
        let (tx, rx) = chan::bounded::<u32>(1);
        let (full, emptied) = chan::bounded(0);
        let recv = rt.spawn(async move { rx.recv().await });
        let line = line!() - 1;
        let send = rt.spawn(async move { full.send(7).await });
        // The task runs on until it is parked: its record tells when.
        let shown = |id: gmp::task::Id| {
            rt.block_on(async { gmp::profiler::stack_all() })
                .split("\n\n")
                .find(|block| block.contains(&format!("goroutine {id} [")))
                .map(str::to_owned)
                .unwrap_or_default()
        };
        eventually("the receiver waits", || {
            shown(recv.id()).contains("[chan receive]")
        });
        eventually("the sender waits", || {
            shown(send.id()).contains("[chan send]")
        });
        let text = shown(recv.id());
        assert!(text.contains(&format!("{}:{line}", file!())), "{text}");
        assert!(shown(send.id()).contains(file!()));
        let recv_id = recv.id().get();
        let tasks = rt.block_on(async { gmp::profiler::snapshot() });
        let task = tasks.iter().find(|task| task.id == recv_id);
        let task = task.expect("a task that waits is in the snapshot");
        assert_eq!(task.reason, gmp_executor::WaitReason::ChanReceive);
        assert_eq!(rt.block_on(emptied.recv()), Ok(7));
        rt.block_on(tx.send(1)).expect("a receiver waits");
        assert_eq!(rt.block_on(recv).expect("no panic"), Ok(1));
        rt.block_on(send).expect("no panic").expect("received");
    });
}
