//! `mpsc`: what differs from the channels of `chan`, which it is made of.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::future::{FusedFuture, FutureExt};
use gmp::sync::mpsc::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
use gmp::sync::mpsc::{self, Receiver, UnboundedReceiver};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::hand::{Woken, poll, poll_with};
use crate::on_1_and_4::on_1_and_4;

fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("ready at once")
}

#[test]
fn a_send_that_gives_up_was_not_sent() {
    let (tx, mut rx) = mpsc::channel(1);
    tx.try_send("inside").expect("room");
    let woken = Woken::new();
    let mut send = Box::pin(tx.send("waits"));
    assert!(poll_with(&mut send, &woken).is_pending());
    assert_eq!(now(rx.recv()), Some("inside"));
    assert_eq!(woken.count(), 1, "there is room");
    // The other channel's sender would have handed its value over by now.
    drop(send);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(tx.capacity(), 1, "the room came back");
}

#[test]
fn the_end_is_none_and_disconnected() {
    let (tx, mut rx) = mpsc::channel(2);
    let (other, mut more) = mpsc::unbounded_channel();
    now(tx.send(1)).expect("open");
    other.send(2).expect("open");
    drop((tx, other));
    assert!(rx.is_closed() && more.is_closed());
    assert_eq!((now(rx.recv()), now(more.recv())), (Some(1), Some(2)));
    assert_eq!((now(rx.recv()), now(more.recv())), (None, None));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(more.try_recv(), Err(TryRecvError::Disconnected));
    let (tx, rx) = mpsc::channel(1);
    let (other, more) = mpsc::unbounded_channel();
    drop((rx, more));
    assert_eq!(now(tx.send(1)), Err(SendError(1)));
    assert_eq!(other.send(1), Err(SendError(1)));
    assert_eq!(tx.try_send(1), Err(TrySendError::Closed(1)));
    now(tx.closed());
    now(other.closed());
}

#[test]
fn room_is_counted_with_permits_and_none_counts_as_one() {
    let (tx, rx) = mpsc::channel(0);
    assert_eq!((tx.capacity(), rx.max_capacity()), (1, 1));
    tx.try_send(1).expect("room for one");
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    let (tx, mut rx) = mpsc::channel(3);
    let permit = tx.try_reserve().expect("room");
    let mut two = tx.try_reserve_many(2).expect("room");
    assert_eq!((two.len(), tx.capacity(), rx.capacity()), (2, 0, 0));
    two.next().expect("two").send(1);
    drop(two);
    permit.send(2);
    assert_eq!((rx.len(), rx.capacity(), tx.max_capacity()), (2, 1, 3));
    let mut batch = Vec::new();
    assert_eq!(now(rx.recv_many(&mut batch, 9)), 2);
    assert_eq!(batch, [1, 2]);
}

#[test]
fn permits_send_after_a_close_and_give_their_sender_back() {
    let (tx, mut rx) = mpsc::channel(2);
    let owned = tx.clone().try_reserve_owned().expect("room");
    let permit = tx.try_reserve().expect("room");
    assert_eq!(tx.strong_count(), 2);
    let full = tx.clone().try_reserve_owned().expect_err("no room");
    assert!(matches!(full, TrySendError::Full(back) if back.same_channel(&tx)));
    rx.close();
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending(), "permits are out");
    assert!(owned.send(1).same_channel(&tx));
    assert_eq!(now(recv), Some(1));
    permit.send(2);
    assert_eq!((now(rx.recv()), now(rx.recv())), (Some(2), None));
    // Nobody is left to receive this one.
    let (tx, rx) = mpsc::channel(1);
    let (owned, token) = (now(tx.reserve_owned()).expect("open"), Arc::new(()));
    drop(rx);
    assert!(owned.send(token.clone()).is_closed());
    assert_eq!(Arc::strong_count(&token), 1, "dropped");
}

#[test]
fn weak_senders_keep_nothing_open() {
    let (tx, rx) = mpsc::channel::<u32>(1);
    let (other, more) = mpsc::unbounded_channel::<u32>();
    let (weak, weak_other) = (tx.downgrade(), other.downgrade());
    assert!(weak.upgrade().expect("tx lives").same_channel(&tx));
    assert!(weak_other.upgrade().expect("it lives").same_channel(&other));
    assert_eq!((rx.sender_strong_count(), rx.sender_weak_count()), (1, 1));
    drop((tx, other));
    assert!(rx.is_closed() && more.is_closed());
    assert!(weak.upgrade().is_none() && weak_other.upgrade().is_none());
    assert_eq!((weak.strong_count(), weak_other.weak_count()), (0, 1));
}

#[gmp::test(virtual_time = true)]
async fn a_send_may_have_a_limit_of_time() {
    let (tx, mut rx) = mpsc::channel(1);
    let patience = Duration::from_secs(1);
    tx.send_timeout(1, patience).await.expect("room");
    let late = tx.send_timeout(2, patience).await;
    assert_eq!(late, Err(SendTimeoutError::Timeout(2)));
    rx.close();
    let closed = tx.send_timeout(3, patience).await;
    assert_eq!(closed, Err(SendTimeoutError::Closed(3)));
    assert_eq!((rx.recv().await, rx.recv().await), (Some(1), None));
}

#[gmp::test]
async fn receivers_are_streams_and_stand_in_selects() {
    let (tx, mut rx) = mpsc::channel(4);
    let (other, more) = mpsc::unbounded_channel();
    let mut recv = rx.recv();
    assert!(!recv.is_terminated());
    tx.send(1).await.expect("open");
    let first = gmp::select! { n = recv => n };
    assert_eq!(first, Some(1));
    assert!(recv.is_terminated());
    drop(recv);
    for n in 2..=4 {
        tx.send(n).await.expect("open");
        other.send(n).expect("open");
    }
    drop((tx, other));
    assert_eq!(rx.collect::<Vec<_>>().await, [2, 3, 4]);
    assert_eq!(more.collect::<Vec<_>>().await, [2, 3, 4]);
}

#[gmp::test]
async fn a_dump_tells_where_a_task_waits() {
    let (tx, mut rx) = mpsc::channel(1);
    let receiver = gmp::spawn(async move { rx.recv().await });
    let (full, _kept) = mpsc::channel(1);
    full.try_send(1).expect("room");
    let sender = gmp::spawn(async move { full.send(2).await });
    gmp::task::yield_now().await;
    let dump = gmp::profiler::stack_all();
    assert!(dump.contains("[chan receive]"), "{dump}");
    assert!(dump.contains("[chan send]"), "{dump}");
    assert!(
        !dump.contains("src/sync/mpsc"),
        "the caller's place: {dump}"
    );
    tx.send(7).await.expect("open");
    assert_eq!(receiver.await.expect("no panic"), Some(7));
    sender.abort();
}

#[test]
fn threads_and_tasks_send_and_receive() {
    on_1_and_4(|rt| {
        let (tx, mut rx): (_, Receiver<u64>) = mpsc::channel(3);
        let (sums, mut sum): (_, UnboundedReceiver<u64>) = mpsc::unbounded_channel();
        let tasks = (0..4).map(|_| {
            let tx = tx.clone();
            rt.spawn(async move {
                for n in 0..300 {
                    tx.send(n).await.expect("open");
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let thread = std::thread::spawn(move || {
            for n in 0..300 {
                tx.blocking_send(n).expect("open");
            }
        });
        let count = AtomicUsize::new(0);
        rt.spawn(async move {
            let mut total = 0;
            // Blocks the task's thread, which no runtime minds.
            while let Some(n) = rx.blocking_recv() {
                total += n;
                count.fetch_add(1, Ordering::Relaxed);
            }
            assert_eq!(count.into_inner(), 5 * 300);
            sums.send(total).expect("open");
        });
        assert_eq!(sum.blocking_recv(), Some(5 * 300 * 299 / 2));
        thread.join().expect("no panic");
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
    });
}

#[gmp::test(virtual_time = true)]
async fn nothing_is_lost_by_time_outs_of_both_ends() {
    let (tx, mut rx) = mpsc::channel(1);
    let sender = gmp::spawn(async move {
        for n in 0..100_u64 {
            // Given up and tried again: each comes once.
            while gmp::time::timeout(Duration::from_millis(1 + n % 3), tx.send(n))
                .await
                .is_err()
            {}
        }
    });
    let mut heard = Vec::new();
    loop {
        let mut tick = pin!(gmp::time::sleep(Duration::from_millis(2)).fuse());
        gmp::select! {
            n = rx.recv() => match n {
                Some(n) => heard.push(n),
                None => break,
            },
            () = tick => {}
        }
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
    sender.await.expect("no panic");
    assert_eq!(heard, (0..100).collect::<Vec<_>>());
}
