//! Oneshot, watch and broadcast.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use gmp::sync::{broadcast, oneshot, watch};

use super::on_1_and_4;
use crate::drops::{Drops, Token};
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_oneshot_gives_its_value_before_and_after_the_wait() {
    let (tx, mut rx) = oneshot::channel();
    assert_eq!(rx.try_recv(), Err(oneshot::TryRecvError::Empty));
    tx.send(1).expect("the receiver lives");
    assert_eq!(poll(&mut rx), Poll::Ready(Ok(1)));
    assert_eq!(rx.try_recv(), Err(oneshot::TryRecvError::Closed));

    let (tx, mut rx) = oneshot::channel();
    let woken = Woken::new();
    assert!(poll_with(&mut rx, &woken).is_pending());
    tx.send(2).expect("the receiver lives");
    assert_eq!(woken.count(), 1);
    assert_eq!(rx.try_recv(), Ok(2));

    let (tx, mut rx) = oneshot::channel::<u32>();
    assert!(poll_with(&mut rx, &woken).is_pending());
    drop(tx);
    assert_eq!(woken.count(), 2);
    assert_eq!(poll(&mut rx), Poll::Ready(Err(oneshot::RecvError)));
}

#[test]
fn a_oneshot_that_nobody_receives_gives_the_value_back() {
    let (mut tx, rx) = oneshot::channel();
    let woken = Woken::new();
    let mut closed = Box::pin(tx.closed());
    assert!(poll_with(&mut closed, &woken).is_pending());
    drop(rx);
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut closed).is_ready());
    drop(closed);
    assert!(tx.is_closed());
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(tx.poll_closed(cx).is_ready());
    assert_eq!(tx.send(1), Err(1));

    // Closed by the receiver: what was sent before is there.
    let (tx, mut rx) = oneshot::channel();
    tx.send(2).expect("open");
    rx.close();
    assert_eq!(poll(&mut rx), Poll::Ready(Ok(2)));
    let (tx, mut rx) = oneshot::channel();
    rx.close();
    assert_eq!(tx.send(3), Err(3));
    assert_eq!(poll(&mut rx), Poll::Ready(Err(oneshot::error::RecvError)));
    let (tx, mut rx) = oneshot::channel::<u32>();
    drop(tx);
    assert!(rx.is_empty() && !rx.is_terminated());
    assert_eq!(rx.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert!(rx.is_terminated());

    let drops = Drops::new();
    let (tx, rx) = oneshot::channel();
    tx.send(drops.token()).expect("open");
    assert_eq!(drops.count(), 0);
    drop(rx);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_oneshot_races_its_drop_without_loss() {
    on_1_and_4(|rt| {
        let drops = Drops::new();
        for n in 0..500_usize {
            let (tx, mut rx) = oneshot::channel();
            let token = drops.token();
            let sender = rt.spawn(async move { drop(tx.send(token)) });
            rt.block_on(async {
                if n % 2 == 0 {
                    rx.await.expect("sent");
                } else {
                    let _ = rx.try_recv();
                    drop(rx);
                }
            });
            rt.block_on(sender).expect("no panic");
            assert_eq!(drops.count(), n + 1);
        }
    });
}

#[test]
fn a_watch_shows_the_latest_value_once_as_new() {
    let (tx, mut rx) = watch::channel(0);
    assert_eq!(rx.has_changed(), Ok(false));
    assert!(poll(&mut Box::pin(rx.changed())).is_pending());
    tx.send(1).expect("a follower");
    tx.send(2).expect("a follower");
    assert_eq!(rx.has_changed(), Ok(true));
    assert!(rx.borrow().has_changed());
    assert_eq!(poll(&mut Box::pin(rx.changed())), Poll::Ready(Ok(())));
    assert_eq!((*rx.borrow(), rx.has_changed()), (2, Ok(false)));
    assert!(poll(&mut Box::pin(rx.changed())).is_pending());
    tx.send_modify(|n| *n += 1);
    let seen = rx.borrow_and_update();
    assert_eq!((*seen, seen.has_changed()), (3, true));
    drop(seen);
    assert!(!tx.send_if_modified(|_| false));
    assert_eq!(rx.has_changed(), Ok(false));
    assert_eq!(tx.send_replace(4), 3);
    rx.mark_unchanged();
    assert_eq!(rx.has_changed(), Ok(false));
    rx.mark_changed();
    assert_eq!(poll(&mut Box::pin(rx.changed())), Poll::Ready(Ok(())));
    // A late follower has seen what is there; a clone, what its origin has.
    assert_eq!(tx.subscribe().has_changed(), Ok(false));
    tx.send(5).expect("a follower");
    assert_eq!(rx.clone().has_changed(), Ok(true));
    assert_eq!(*tx.borrow(), 5);
}

#[test]
fn ends_of_one_watch_know_each_other() {
    let ((tx, rx), (other, follower)) = (watch::channel(1), watch::channel(1));
    assert!(tx.same_channel(&tx.clone()) && rx.same_channel(&tx.subscribe()));
    assert!(!tx.same_channel(&other) && !rx.same_channel(&follower));
}

#[test]
fn a_change_wakes_every_follower() {
    let (tx, mut one) = watch::channel("old");
    let mut two = one.clone();
    let woken = Woken::new();
    let (mut first, mut second) = (Box::pin(one.changed()), Box::pin(two.changed()));
    assert!(poll_with(&mut first, &woken).is_pending());
    assert!(poll_with(&mut second, &woken).is_pending());
    tx.send("new").expect("two follow");
    assert_eq!(woken.count(), 2);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    // A change that was not looked at is still new after a dropped wait.
    drop((first, second));
    assert_eq!(one.has_changed(), Ok(true));
    assert_eq!(two.has_changed(), Ok(false));
}

#[test]
fn a_watch_tells_both_ends_when_the_other_is_gone() {
    let (tx, mut rx) = watch::channel(1);
    let other = tx.clone();
    assert_eq!(tx.sender_count(), 2);
    tx.send(2).expect("a follower");
    drop((tx, other));
    assert_eq!(rx.has_changed(), Err(watch::RecvError));
    // The last value first.
    assert_eq!(poll(&mut Box::pin(rx.changed())), Poll::Ready(Ok(())));
    assert_eq!(
        poll(&mut Box::pin(rx.changed())),
        Poll::Ready(Err(watch::RecvError))
    );
    assert_eq!(*rx.borrow(), 2);

    let (tx, rx) = watch::channel(1);
    let woken = Woken::new();
    let mut closed = Box::pin(tx.closed());
    assert!(poll_with(&mut closed, &woken).is_pending());
    drop(rx);
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut closed).is_ready() && tx.is_closed());
    assert_eq!(tx.send(2), Err(watch::SendError(2)));
    assert_eq!(*tx.borrow(), 1, "nothing has changed");
    assert_eq!(tx.send_replace(3), 1);
    assert_eq!(*tx.subscribe().borrow(), 3);
    assert_eq!(tx.receiver_count(), 0);
}

#[test]
fn wait_for_looks_at_the_present_value_and_at_each_change() {
    let (tx, mut rx) = watch::channel(1);
    assert!(poll(&mut Box::pin(rx.wait_for(|n| *n == 1))).is_ready());
    let mut waits = Box::pin(rx.wait_for(|n| *n > 2));
    let woken = Woken::new();
    assert!(poll_with(&mut waits, &woken).is_pending());
    tx.send(2).expect("a follower");
    assert!(poll_with(&mut waits, &woken).is_pending());
    tx.send(3).expect("a follower");
    assert_eq!(woken.count(), 2);
    let Poll::Ready(Ok(value)) = poll(&mut waits) else {
        panic!("3 is more than 2");
    };
    assert_eq!(*value, 3);
    drop(value);
    drop(waits);
    let mut never = Box::pin(rx.wait_for(|n| *n > 9));
    assert!(poll(&mut never).is_pending());
    drop(tx);
    assert!(matches!(
        poll(&mut never),
        Poll::Ready(Err(watch::RecvError))
    ));
}

#[test]
fn a_panic_in_a_modification_does_not_end_the_watch() {
    let (tx, rx) = watch::channel(1);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        tx.send_modify(|_| panic!("on purpose"))
    }));
    assert!(panic.is_err());
    assert_eq!(rx.has_changed(), Ok(false));
    tx.send(2).expect("a follower");
    assert_eq!(*rx.borrow(), 2);
}

#[test]
fn followers_see_values_grow_and_never_miss_the_last() {
    on_1_and_4(|rt| {
        let (tx, rx) = watch::channel(0_u32);
        let followers: Vec<_> = (0..6)
            .map(|_| {
                let mut rx = rx.clone();
                rt.spawn(async move {
                    let mut last = 0;
                    while rx.changed().await.is_ok() {
                        let now = *rx.borrow_and_update();
                        assert!(now > last);
                        last = now;
                    }
                    last
                })
            })
            .collect();
        drop(rx);
        rt.block_on(async {
            for n in 1..=1_000 {
                tx.send(n).expect("followers");
                if n % 5 == 0 {
                    gmp::task::yield_now().await;
                }
            }
        });
        drop(tx);
        for follower in followers {
            assert_eq!(rt.block_on(follower).expect("no panic"), 1_000);
        }
    });
}

#[test]
fn a_broadcast_reaches_everybody_who_was_there() {
    let (tx, mut one) = broadcast::channel(4);
    assert_eq!(tx.send(1), Ok(1));
    let mut two = tx.subscribe();
    assert_eq!(tx.send(2), Ok(2));
    let woken = Woken::new();
    assert_eq!(poll(&mut Box::pin(two.recv())), Poll::Ready(Ok(2)));
    let mut waits = Box::pin(two.recv());
    assert!(poll_with(&mut waits, &woken).is_pending());
    assert_eq!(tx.send(3), Ok(2));
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut waits), Poll::Ready(Ok(3)));
    drop(waits);
    assert_eq!((one.len(), two.is_empty()), (3, true));
    for n in 1..=3 {
        assert_eq!(one.try_recv(), Ok(n));
    }
    assert_eq!(one.try_recv(), Err(broadcast::TryRecvError::Empty));
    assert!(tx.is_empty(), "kept by nobody");
    let mut waits = Box::pin(one.recv());
    assert!(poll_with(&mut waits, &woken).is_pending());
    drop(tx);
    assert_eq!(woken.count(), 2);
    assert_eq!(
        poll(&mut waits),
        Poll::Ready(Err(broadcast::RecvError::Closed))
    );
    drop(waits);
    assert!(one.is_closed());
    assert_eq!(one.try_recv(), Err(broadcast::TryRecvError::Closed));
}

#[test]
fn a_slow_receiver_is_told_how_much_it_has_missed() {
    let (tx, mut slow) = broadcast::channel(3);
    let mut fast = slow.resubscribe();
    assert!(slow.same_channel(&fast) && tx.same_channel(&tx.clone()));
    for n in 0..3 {
        tx.send(n).expect("receivers");
        assert_eq!(fast.try_recv(), Ok(n));
    }
    assert_eq!((tx.len(), slow.len()), (3, 3), "just in time");
    tx.send(3).expect("receivers");
    tx.send(4).expect("receivers");
    assert_eq!(slow.len(), 5);
    assert_eq!(slow.try_recv(), Err(broadcast::TryRecvError::Lagged(2)));
    for n in 2..5 {
        assert_eq!(slow.try_recv(), Ok(n));
    }
    assert_eq!(fast.try_recv(), Ok(3));
    // Lagged again, and then by a wait.
    for n in 5..9 {
        tx.send(n).expect("receivers");
    }
    let lagged = Err(broadcast::RecvError::Lagged(1));
    assert_eq!(poll(&mut Box::pin(slow.recv())), Poll::Ready(lagged));
    assert_eq!(poll(&mut Box::pin(slow.recv())), Poll::Ready(Ok(6)));
}

#[test]
fn a_broadcast_without_receivers_gives_the_value_back() {
    let (tx, rx) = broadcast::channel(1);
    drop(rx);
    assert_eq!(tx.receiver_count(), 0);
    assert_eq!(tx.send(1), Err(broadcast::SendError(1)));
    let mut rx = tx.subscribe();
    assert_eq!(tx.send(2), Ok(1));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
#[should_panic(expected = "at least one value")]
fn a_broadcast_keeps_something() {
    let _ = broadcast::channel::<u32>(0);
}

/// A value whose clones are not counted.
#[derive(Debug)]
struct Original {
    _token: Option<Token>,
}

impl Clone for Original {
    fn clone(&self) -> Original {
        Original { _token: None }
    }
}

#[test]
fn a_broadcast_drops_each_value_once_and_soon() {
    let drops = Drops::new();
    let original = || Original {
        _token: Some(drops.token()),
    };
    let (tx, mut one) = broadcast::channel(2);
    let mut two = tx.subscribe();
    tx.send(original()).expect("receivers");
    drop(one.try_recv().expect("sent"));
    assert_eq!(drops.count(), 0, "a clone");
    drop(two.try_recv().expect("sent"));
    assert_eq!(drops.count(), 1, "the last gets the value itself");
    for _ in 0..3 {
        tx.send(original()).expect("receivers");
    }
    assert_eq!(drops.count(), 2, "the oldest made room");
    drop(one);
    assert_eq!(drops.count(), 2, "kept for the other");
    drop(two);
    assert_eq!((drops.count(), tx.len()), (4, 0));
}

#[test]
fn every_receiver_gets_every_value_or_is_told() {
    on_1_and_4(|rt| {
        const ALL: u64 = 2_000;
        let (tx, rx) = broadcast::channel(16);
        let receivers: Vec<_> = (0..5)
            .map(|_| {
                let mut rx = rx.resubscribe();
                rt.spawn(async move {
                    let (mut next, mut missed) = (0, 0);
                    loop {
                        match rx.recv().await {
                            Ok(n) => {
                                assert_eq!(n, next);
                                next += 1;
                            }
                            Err(broadcast::RecvError::Lagged(n)) => {
                                next += n;
                                missed += n;
                            }
                            Err(broadcast::RecvError::Closed) => return (next, missed),
                        }
                    }
                })
            })
            .collect();
        drop(rx);
        rt.block_on(async {
            for n in 0..ALL {
                tx.send(n).expect("receivers");
                if n % 10 == 0 {
                    gmp::task::yield_now().await;
                }
            }
        });
        drop(tx);
        for receiver in receivers {
            let (next, missed) = rt.block_on(receiver).expect("no panic");
            assert_eq!(next, ALL);
            assert!(missed < ALL);
        }
    });
}

#[test]
fn a_weak_broadcaster_keeps_nothing_open() {
    let (tx, mut rx) = broadcast::channel(4);
    let weak = tx.downgrade();
    let other = weak.clone();
    assert_eq!((tx.strong_count(), tx.weak_count()), (1, 2));
    let second = weak.upgrade().expect("one lives");
    assert!(second.same_channel(&tx));
    assert_eq!((weak.strong_count(), rx.sender_strong_count()), (2, 2));
    drop(tx);
    second.send(1).expect("a receiver");
    let woken = Woken::new();
    let mut late = rx.resubscribe();
    let mut recv = Box::pin(late.recv());
    assert!(poll_with(&mut recv, &woken).is_pending());
    drop(second);
    assert_eq!(woken.count(), 1, "the last one has gone");
    assert_eq!(
        poll(&mut recv),
        Poll::Ready(Err(broadcast::error::RecvError::Closed))
    );
    drop(recv);
    assert!(weak.upgrade().is_none(), "the end is the end");
    assert_eq!((weak.strong_count(), rx.sender_weak_count()), (0, 2));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(rx.try_recv(), Err(broadcast::error::TryRecvError::Closed));
    drop((rx, late));
    assert_eq!((other.strong_count(), other.weak_count()), (0, 0));
}

#[test]
fn a_broadcaster_is_told_when_nobody_listens() {
    let (tx, one) = broadcast::channel::<u32>(2);
    let two = tx.subscribe();
    let woken = [Woken::new(), Woken::new()];
    let (mut stays, mut gone) = (Box::pin(tx.closed()), Box::pin(tx.closed()));
    assert!(poll_with(&mut stays, &woken[0]).is_pending());
    assert!(poll_with(&mut gone, &woken[1]).is_pending());
    tx.send(1).expect("two receivers");
    drop(one);
    drop(gone);
    assert_eq!(woken[0].count(), 0, "one listens");
    drop(two);
    assert_eq!((woken[0].count(), woken[1].count()), (1, 0));
    assert!(poll(&mut stays).is_ready());
    // A new one changes that.
    let _three = tx.subscribe();
    assert!(poll(&mut Box::pin(tx.closed())).is_pending());
}
