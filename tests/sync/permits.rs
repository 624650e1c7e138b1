//! Semaphore and Notify.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use gmp::sync::{AcquireError, Notify, Semaphore, TryAcquireError};

use super::on_1_and_4;
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_semaphore_lets_in_as_many_as_it_has_permits() {
    on_1_and_4(|rt| {
        let semaphore = Arc::new(Semaphore::new(3));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                rt.spawn(async move {
                    for _ in 0..100 {
                        let many = 1 + n % 3;
                        let permit = semaphore.acquire_many(many).await.expect("open");
                        let many = many as usize;
                        assert!(inside.fetch_add(many, Ordering::SeqCst) + many <= 3);
                        gmp::task::yield_now().await;
                        inside.fetch_sub(many, Ordering::SeqCst);
                        drop(permit);
                    }
                })
            })
            .collect();
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
        assert_eq!(semaphore.available_permits(), 3);
    });
}

#[test]
fn a_small_wish_does_not_overtake_a_large_one() {
    let semaphore = Semaphore::new(3);
    let held = semaphore.try_acquire_many(2).expect("free");
    let woken = Woken::new();
    let (mut large, mut small) = (
        Box::pin(semaphore.acquire_many(3)),
        Box::pin(semaphore.acquire()),
    );
    assert!(poll(&mut large).is_pending());
    assert!(poll_with(&mut small, &woken).is_pending(), "one is free");
    assert_eq!(
        semaphore.try_acquire().err(),
        Some(TryAcquireError::NoPermits)
    );
    drop(held);
    let Poll::Ready(Ok(all)) = poll(&mut large) else {
        panic!("three are free");
    };
    assert!(poll(&mut small).is_pending());
    assert_eq!((all.num_permits(), woken.count()), (3, 0));
    drop(all);
    assert!(poll(&mut small).is_ready());
}

#[test]
fn a_large_wish_that_goes_away_lets_the_small_ones_in() {
    let semaphore = Semaphore::new(1);
    let woken = Woken::new();
    let (mut large, mut small) = (
        Box::pin(semaphore.acquire_many(2)),
        Box::pin(semaphore.acquire()),
    );
    assert!(poll(&mut large).is_pending());
    assert!(poll_with(&mut small, &woken).is_pending());
    drop(large);
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut small).is_ready());
}

#[test]
fn a_permit_granted_to_a_dropped_future_goes_to_the_next() {
    let semaphore = Semaphore::new(0);
    let woken = Woken::new();
    let (mut first, mut second) = (Box::pin(semaphore.acquire()), Box::pin(semaphore.acquire()));
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &woken).is_pending());
    semaphore.add_permits(1);
    assert_eq!((woken.count(), semaphore.available_permits()), (0, 0));
    drop(first);
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut second).is_ready());
    // Nobody is left to take it.
    drop(second);
    let mut last = Box::pin(semaphore.acquire());
    assert!(matches!(poll(&mut last), Poll::Ready(Ok(_))));
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_closed_semaphore_refuses_and_ends_every_wait() {
    let semaphore = Arc::new(Semaphore::new(1));
    let held = semaphore.clone().try_acquire_owned().expect("free");
    let woken = Woken::new();
    let mut waits = Box::pin(semaphore.acquire());
    assert!(poll_with(&mut waits, &woken).is_pending());
    semaphore.close();
    assert!(semaphore.is_closed());
    assert_eq!(woken.count(), 1);
    assert!(matches!(poll(&mut waits), Poll::Ready(Err(AcquireError))));
    drop(held);
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::Closed));
    let mut late = Box::pin(semaphore.clone().acquire_many_owned(1));
    assert!(matches!(poll(&mut late), Poll::Ready(Err(AcquireError))));
}

#[test]
fn permits_are_split_merged_and_forgotten() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut three = semaphore.try_acquire_many(3).expect("free");
    let one = three.split(1).expect("three are more than one");
    assert!(three.split(3).is_none());
    assert_eq!((three.num_permits(), one.num_permits()), (2, 1));
    drop(one);
    assert_eq!(semaphore.available_permits(), 3);
    three.merge(semaphore.try_acquire().expect("free"));
    drop(three);
    assert_eq!(semaphore.available_permits(), 5);
    semaphore.try_acquire().expect("free").forget();
    assert_eq!(semaphore.forget_permits(2), 2);
    assert_eq!(semaphore.available_permits(), 2);
    let mut owned = semaphore.clone().try_acquire_many_owned(2).expect("free");
    assert!(Arc::ptr_eq(owned.semaphore(), &semaphore));
    let other = owned.split(1).expect("two are more than one");
    owned.merge(other);
    assert_eq!(semaphore.forget_permits(9), 0);
    drop(owned);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
#[should_panic(expected = "MAX_PERMITS")]
fn a_semaphore_has_no_more_than_the_most() {
    Semaphore::new(1).add_permits(Semaphore::MAX_PERMITS);
}

#[test]
fn notify_one_leaves_one_permit_and_wakes_in_order() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    assert!(poll(&mut notify.notified()).is_ready());
    let woken = Woken::new();
    let (mut first, mut second) = (notify.notified(), notify.notified());
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &woken).is_pending());
    notify.notify_one();
    assert_eq!(woken.count(), 0);
    assert!(poll(&mut first).is_ready());
    assert!(poll_with(&mut second, &woken).is_pending());
    notify.notify_one();
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut second).is_ready());
}

#[test]
fn a_notification_of_a_dropped_future_is_passed_on() {
    let notify = Notify::new();
    let woken = Woken::new();
    let (mut first, mut second) = (notify.notified(), notify.notified());
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &woken).is_pending());
    notify.notify_one();
    drop(first);
    assert_eq!(woken.count(), 1);
    drop(second);
    // Back among the permits.
    assert!(poll(&mut notify.notified()).is_ready());
    // One that has taken it passes nothing on.
    assert!(poll(&mut notify.notified()).is_pending());
    // Nor does one that was told with all the others.
    let mut told = notify.notified();
    assert!(poll(&mut told).is_pending());
    notify.notify_waiters();
    drop(told);
    assert!(poll(&mut notify.notified()).is_pending());
}

#[test]
fn notify_last_wakes_in_the_opposite_order() {
    let notify = Notify::new();
    notify.notify_last();
    assert!(poll(&mut notify.notified()).is_ready(), "a permit");
    let woken = [Woken::new(), Woken::new(), Woken::new(), Woken::new()];
    let counts = || woken.each_ref().map(|woken| woken.count());
    let mut waits = [0; 4].map(|_| notify.notified());
    for (wait, woken) in waits.iter_mut().zip(&woken) {
        assert!(poll_with(wait, woken).is_pending());
    }
    let [mut first, second, mut third, fourth] = waits;
    notify.notify_last();
    assert_eq!(counts(), [0, 0, 0, 1]);
    // It goes away: again the last of those that are left.
    drop(fourth);
    assert_eq!(counts(), [0, 0, 1, 1]);
    notify.notify_one();
    assert_eq!(counts(), [1, 0, 1, 1]);
    assert!(poll(&mut first).is_ready() && poll(&mut third).is_ready());
    notify.notify_last();
    assert_eq!(counts(), [1, 1, 1, 1]);
    drop(second);
    assert!(
        poll(&mut notify.notified()).is_ready(),
        "back among the permits"
    );
}

#[test]
fn an_owned_wait_stands_in_the_same_queue() {
    let notify = Arc::new(Notify::new());
    let woken = [Woken::new(), Woken::new()];
    let mut owned = Box::pin(notify.clone().notified_owned());
    let mut other = Box::pin(notify.clone().notified_owned());
    let mut borrowed = notify.notified();
    assert!(!owned.as_mut().enable(), "it has a place and no waker");
    assert!(poll_with(&mut borrowed, &woken[0]).is_pending());
    assert!(poll_with(&mut other, &woken[1]).is_pending());
    notify.notify_one();
    assert_eq!(woken[0].count(), 0, "the first was told");
    // And goes away.
    drop(owned);
    assert_eq!((woken[0].count(), woken[1].count()), (1, 0));
    assert!(poll(&mut borrowed).is_ready());
    notify.notify_waiters();
    assert_eq!(woken[1].count(), 1);
    assert!(poll(&mut other).is_ready());
    assert_eq!(Arc::strong_count(&notify), 2);
    drop(other);
    assert_eq!(Arc::strong_count(&notify), 1);
}

#[test]
fn notify_waiters_tells_who_was_there_and_leaves_nothing() {
    let notify = Notify::new();
    let woken = Woken::new();
    let (mut waits, mut made) = (notify.notified(), notify.notified());
    assert!(poll_with(&mut waits, &woken).is_pending());
    notify.notify_waiters();
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut waits).is_ready());
    assert!(poll(&mut made).is_ready(), "made before, though not polled");
    assert!(poll(&mut notify.notified()).is_pending());
}

#[test]
fn enable_takes_a_place_without_waiting() {
    let notify = Notify::new();
    let mut first = Box::pin(notify.notified());
    let mut second = Box::pin(notify.notified());
    assert!(!second.as_mut().enable());
    assert!(poll(&mut first).is_pending());
    notify.notify_one();
    assert!(poll(&mut first).is_pending(), "the other came first");
    assert!(second.as_mut().enable());
    assert!(poll(&mut second).is_ready());
}

#[test]
fn no_notification_is_lost_between_a_look_and_a_wait() {
    on_1_and_4(|rt| {
        let (notify, value) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let follower = rt.spawn({
            let (notify, value) = (notify.clone(), value.clone());
            async move {
                loop {
                    let mut told = std::pin::pin!(notify.notified());
                    told.as_mut().enable();
                    if value.load(Ordering::SeqCst) == 2_000 {
                        return;
                    }
                    told.await;
                }
            }
        });
        rt.block_on(async {
            for n in 1..=2_000 {
                value.store(n, Ordering::SeqCst);
                notify.notify_waiters();
                if n % 7 == 0 {
                    gmp::task::yield_now().await;
                }
            }
        });
        rt.block_on(follower).expect("no panic");
    });
}
