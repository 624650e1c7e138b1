//! Mutex and RwLock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use gmp::sync::{
    Mutex, MutexGuard, OwnedMutexGuard, OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard,
    TryLockError,
};

use super::on_1_and_4;
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_mutex_lets_one_in_at_a_time() {
    on_1_and_4(|rt| {
        let total = Arc::new(Mutex::new(0_u64));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..16_u64)
            .map(|n| {
                let (total, inside) = (total.clone(), inside.clone());
                rt.spawn(async move {
                    for round in 0..300_u64 {
                        let mut guard = total.lock().await;
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        let before = *guard;
                        if (n + round) % 3 == 0 {
                            gmp::task::yield_now().await;
                        }
                        *guard = before + 1;
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
        assert_eq!(*total.try_lock().expect("free"), 16 * 300);
    });
}

#[test]
fn a_mutex_is_locked_until_its_guard_is_dropped() {
    let mutex = Arc::new(Mutex::new(1));
    let guard = mutex.try_lock().expect("free");
    assert_eq!(mutex.try_lock().err(), Some(TryLockError));
    assert!(mutex.clone().try_lock_owned().is_err());
    assert_eq!(format!("{mutex:?}"), "Mutex { value: <locked> }");
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &raw const *mutex));
    drop(guard);
    let mut guard = mutex.clone().try_lock_owned().expect("free");
    *guard += 1;
    assert_eq!(
        (format!("{guard}"), format!("{guard:?}")),
        ("2".into(), "2".into())
    );
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
    drop(guard);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 2 }");
    let mut mutex = Arc::into_inner(mutex).expect("the last one");
    *mutex.get_mut() += 1;
    assert_eq!(mutex.into_inner(), 3);
}

#[test]
fn a_panic_with_the_guard_unlocks_and_does_not_poison() {
    let mutex = Mutex::new(1);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = mutex.try_lock().expect("free");
        *guard = 2;
        panic!("on purpose");
    }));
    assert!(panic.is_err());
    assert_eq!(*mutex.try_lock().expect("free"), 2);
}

#[test]
fn a_lock_future_that_is_dropped_passes_its_wake_up_on() {
    let mutex = Mutex::new(());
    let held = mutex.try_lock().expect("free");
    let woken = Woken::new();
    let (mut first, mut second) = (Box::pin(mutex.lock()), Box::pin(mutex.lock()));
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &woken).is_pending());
    drop(held);
    assert_eq!(woken.count(), 0, "one is woken at a time");
    drop(first);
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut second).is_ready());
}

#[test]
fn an_unlock_wakes_nobody_while_a_waiter_is_awake() {
    let mutex = Mutex::new(());
    let held = mutex.try_lock().expect("free");
    let woken = Woken::new();
    let (mut first, mut second) = (Box::pin(mutex.lock()), Box::pin(mutex.lock()));
    assert!(poll_with(&mut first, &woken).is_pending());
    assert!(poll_with(&mut second, &woken).is_pending());
    drop(held);
    assert_eq!(woken.count(), 1);
    // Whoever comes by in between is no reason to wake another.
    drop(mutex.try_lock().expect("free"));
    drop(mutex.try_lock().expect("free"));
    assert_eq!(woken.count(), 1);
    let guard = poll(&mut first);
    assert!(guard.is_ready());
    drop(guard);
    assert_eq!(woken.count(), 2);
    assert!(poll(&mut second).is_ready());
}

/// One task locks again as soon as it has unlocked; without the hand-over the
/// other would lose each race.
#[test]
fn a_waiter_is_not_starved_by_a_task_that_always_locks_again() {
    on_1_and_4(|rt| {
        let mutex = Arc::new(Mutex::new(()));
        let stop = Arc::new(AtomicBool::new(false));
        let greedy = rt.spawn({
            let (mutex, stop) = (mutex.clone(), stop.clone());
            async move {
                while !stop.load(Ordering::SeqCst) {
                    let _guard = mutex.lock().await;
                    // Long enough for a waiter to starve.
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_micros(300) {
                        std::hint::spin_loop();
                    }
                    gmp::task::yield_now().await;
                }
            }
        });
        let patient = rt.spawn(async move {
            for _ in 0..10 {
                drop(mutex.lock().await);
            }
            stop.store(true, Ordering::SeqCst);
        });
        rt.block_on(patient).expect("no panic");
        rt.block_on(greedy).expect("no panic");
    });
}

#[test]
fn readers_share_and_a_writer_is_alone() {
    let lock = Arc::new(RwLock::new(1));
    let (one, two) = (
        lock.try_read().expect("free"),
        lock.try_read().expect("shared"),
    );
    assert_eq!((*one, *two), (1, 1));
    assert!(lock.try_write().is_err());
    drop((one, two));
    let mut writer = lock.clone().try_write_owned().expect("free");
    *writer = 2;
    assert!(lock.try_read().is_err() && lock.clone().try_read_owned().is_err());
    assert_eq!(format!("{lock:?}"), "RwLock { value: <locked> }");
    drop(writer);
    assert_eq!(format!("{lock:?}"), "RwLock { value: 2 }");
    let mut lock = Arc::into_inner(lock).expect("the last one");
    *lock.get_mut() += 1;
    assert_eq!(lock.into_inner(), 3);
}

#[test]
fn a_writer_that_waits_keeps_new_readers_out() {
    let lock = RwLock::new(0);
    let first = lock.try_read().expect("free");
    let mut write = Box::pin(lock.write());
    assert!(poll(&mut write).is_pending());
    assert!(lock.try_read().is_err());
    let (mut late, mut later) = (Box::pin(lock.read()), Box::pin(lock.read()));
    assert!(poll(&mut late).is_pending() && poll(&mut later).is_pending());
    drop(first);
    assert!(poll(&mut late).is_pending(), "the writer came first");
    let Poll::Ready(mut writer) = poll(&mut write) else {
        panic!("the last reader has gone");
    };
    *writer = 5;
    drop(writer);
    // Both readers at once.
    let (Poll::Ready(late), Poll::Ready(later)) = (poll(&mut late), poll(&mut later)) else {
        panic!("the writer has gone");
    };
    assert_eq!((*late, *later), (5, 5));
}

#[test]
fn a_writer_that_stops_waiting_lets_the_readers_in() {
    let lock = RwLock::new(());
    let woken = Woken::new();
    let _first = lock.try_read().expect("free");
    let mut write = Box::pin(lock.write());
    assert!(poll(&mut write).is_pending());
    let mut read = Box::pin(lock.read());
    assert!(poll_with(&mut read, &woken).is_pending());
    drop(write);
    assert_eq!(woken.count(), 1);
    assert!(poll(&mut read).is_ready());
}

#[test]
fn a_writer_that_was_let_in_and_goes_away_gives_the_lock_back() {
    let lock = RwLock::new(());
    let first = lock.try_read().expect("free");
    let mut write = Box::pin(lock.write());
    assert!(poll(&mut write).is_pending());
    drop(first);
    assert!(lock.try_read().is_err(), "it is the writer's");
    drop(write);
    drop(lock.try_write().expect("free again"));
}

#[test]
fn a_downgrade_lets_readers_in_and_no_writer() {
    let lock = Arc::new(RwLock::new(1));
    let reader = RwLockWriteGuard::downgrade(lock.try_write().expect("free"));
    assert!(lock.try_write().is_err());
    let other = lock.try_read().expect("shared");
    assert_eq!(*reader + *other, 2);
    drop((reader, other));
    let owned = lock.clone().try_write_owned().expect("free");
    let reader = OwnedRwLockWriteGuard::downgrade(owned);
    drop(lock.try_read().expect("shared"));
    assert!(lock.try_write().is_err());
    drop(reader);
    drop(lock.try_write().expect("free"));
}

#[test]
fn readers_never_see_half_of_what_a_writer_writes() {
    on_1_and_4(|rt| {
        let pair = Arc::new(RwLock::new((0_u64, 0_u64)));
        let mut tasks = Vec::new();
        for n in 0..9 {
            let pair = pair.clone();
            tasks.push(rt.spawn(async move {
                for _ in 0..200 {
                    if n % 3 == 0 {
                        let mut both = pair.write().await;
                        both.0 += 1;
                        gmp::task::yield_now().await;
                        both.1 += 1;
                    } else {
                        let both = pair.read().await;
                        assert_eq!(both.0, both.1);
                        gmp::task::yield_now().await;
                        assert_eq!(both.0, both.1);
                    }
                }
            }));
        }
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
        assert_eq!(*pair.try_read().expect("free"), (600, 600));
    });
}

#[test]
fn a_guard_may_be_dropped_on_another_thread() {
    let mutex = Arc::new(Mutex::new(1));
    let guard = mutex.clone().try_lock_owned().expect("free");
    thread::spawn(move || drop(guard)).join().expect("no panic");
    assert!(mutex.try_lock().is_ok());
}
