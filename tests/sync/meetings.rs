//! Barrier, WaitGroup and OnceCell.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use gmp::sync::{Barrier, OnceCell, SetError, WaitGroup};

use super::on_1_and_4;
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_barrier_has_one_leader_in_each_round() {
    on_1_and_4(|rt| {
        const ROUNDS: usize = 50;
        let barrier = Arc::new(Barrier::new(5));
        let (there, leaders) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let (barrier, there) = (barrier.clone(), there.clone());
                let leaders = leaders.clone();
                rt.spawn(async move {
                    for round in 1..=ROUNDS {
                        there.fetch_add(1, Ordering::SeqCst);
                        let result = barrier.wait().await;
                        // All five of this round have come.
                        assert!(there.load(Ordering::SeqCst) >= 5 * round);
                        leaders.fetch_add(usize::from(result.is_leader()), Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
        assert_eq!(leaders.load(Ordering::SeqCst), ROUNDS);
    });
}

#[test]
fn a_task_that_leaves_a_barrier_does_not_count() {
    let barrier = Barrier::new(2);
    let mut gone = Box::pin(barrier.wait());
    assert!(poll(&mut gone).is_pending());
    drop(gone);
    let woken = Woken::new();
    let mut stays = Box::pin(barrier.wait());
    assert!(poll_with(&mut stays, &woken).is_pending());
    assert!(poll(&mut stays).is_pending(), "two polls are one task");
    let Poll::Ready(last) = poll(&mut Box::pin(barrier.wait())) else {
        panic!("the second to come");
    };
    let Poll::Ready(first) = poll(&mut stays) else {
        panic!("the meeting is on");
    };
    assert!(last.is_leader() && !first.is_leader());
    for n in [0, 1] {
        let alone = Barrier::new(n);
        assert!(poll(&mut Box::pin(alone.wait())).is_ready());
    }
}

#[test]
fn a_wait_group_frees_everybody_at_zero() {
    let group = WaitGroup::new();
    assert!(
        poll(&mut Box::pin(group.wait())).is_ready(),
        "nothing to do"
    );
    group.add(2);
    let woken = Woken::new();
    let (mut one, mut two) = (Box::pin(group.wait()), Box::pin(group.wait()));
    assert!(poll_with(&mut one, &woken).is_pending());
    assert!(poll_with(&mut two, &woken).is_pending());
    group.done();
    assert_eq!(woken.count(), 0);
    group.done();
    // A new use does not hold back those who were freed.
    group.add(1);
    assert!(poll(&mut one).is_ready());
    assert_eq!(woken.count(), 2);
    assert!(poll(&mut two).is_ready());
    assert!(poll(&mut Box::pin(group.wait())).is_pending());
}

#[test]
fn a_wait_group_does_not_go_below_zero() {
    let group = WaitGroup::new();
    group.add(1);
    let panic = catch_unwind(AssertUnwindSafe(|| group.add(-2))).expect_err("less than nothing");
    let text = panic.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("negative WaitGroup counter"), "{text}");
    group.done();
    assert!(catch_unwind(AssertUnwindSafe(|| group.done())).is_err());
}

#[test]
fn a_wait_group_waits_for_all_its_tasks() {
    on_1_and_4(|rt| {
        for _ in 0..50 {
            let (group, done) = (Arc::new(WaitGroup::new()), Arc::new(AtomicUsize::new(0)));
            for _ in 0..16 {
                group.add(1);
                let (group, done) = (group.clone(), done.clone());
                drop(rt.spawn(async move {
                    done.fetch_add(1, Ordering::SeqCst);
                    group.done();
                }));
            }
            rt.block_on(group.wait());
            assert_eq!(done.load(Ordering::SeqCst), 16);
        }
    });
}

#[test]
fn a_once_cell_is_made_once() {
    on_1_and_4(|rt| {
        let (cell, made) = (Arc::new(OnceCell::new()), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let (cell, made) = (cell.clone(), made.clone());
                rt.spawn(async move {
                    let make = || async {
                        made.fetch_add(1, Ordering::SeqCst);
                        gmp::task::yield_now().await;
                        n
                    };
                    *cell.get_or_init(make).await
                })
            })
            .collect();
        let values: Vec<u32> = tasks
            .into_iter()
            .map(|task| rt.block_on(task).expect("no panic"))
            .collect();
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert!(values.iter().all(|value| Some(value) == cell.get()));
    });
}

#[test]
fn a_once_cell_that_was_not_made_is_made_by_the_next() {
    let cell = OnceCell::new();
    let woken = Woken::new();
    let mut first = Box::pin(cell.get_or_init(std::future::pending::<u32>));
    assert!(poll(&mut first).is_pending());
    assert_eq!(cell.set(1), Err(SetError::InitializingError(1)));
    let mut second = Box::pin(cell.get_or_init(|| async { 2 }));
    assert!(poll_with(&mut second, &woken).is_pending());
    drop(first);
    assert_eq!(woken.count(), 1);
    assert_eq!(poll(&mut second), Poll::Ready(&2));
    assert_eq!(cell.set(3), Err(SetError::AlreadyInitializedError(3)));

    let mut cell = OnceCell::new();
    let mut fails = Box::pin(cell.get_or_try_init(|| async { Err::<u32, _>("no") }));
    assert_eq!(poll(&mut fails), Poll::Ready(Err("no")));
    drop(fails);
    assert!(!cell.initialized());
    assert_eq!(cell.set(4), Ok(()));
    let mut has = Box::pin(cell.get_or_try_init(|| async { Err::<u32, _>("no") }));
    assert_eq!(poll(&mut has), Poll::Ready(Ok(&4)));
    drop(has);
    *cell.get_mut().expect("set") += 1;
    assert_eq!((cell.clone().into_inner(), cell.take()), (Some(5), Some(5)));
    assert_eq!(cell, OnceCell::new_with(None));
}
