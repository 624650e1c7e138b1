//! Guards of a part: they hold the whole lock, in the name of who took it.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use gmp::profiler::leak;
use gmp::runtime::Builder;
use gmp::sync::{
    MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard,
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};

use crate::drops::{Drops, Token};
use crate::eventually::eventually;
use crate::hand::{Woken, poll, poll_with};

#[test]
fn a_guard_of_a_part_locks_the_whole() {
    let mutex = Mutex::new(((1, 2), 3));
    let pair = MutexGuard::map(mutex.try_lock().expect("free"), |all| &mut all.0);
    assert!(mutex.try_lock().is_err());
    let mut second = MappedMutexGuard::map(pair, |pair| &mut pair.1);
    assert!(mutex.try_lock().is_err());
    *second += 3;
    assert_eq!(
        (format!("{second}"), format!("{second:?}")),
        ("5".into(), "5".into())
    );
    let woken = Woken::new();
    let mut waits = Box::pin(mutex.lock());
    assert!(poll_with(&mut waits, &woken).is_pending());
    drop(second);
    assert_eq!(woken.count(), 1);
    drop(waits);
    assert_eq!(mutex.into_inner(), ((1, 5), 3));
}

#[test]
fn where_there_is_no_part_the_guard_comes_back() {
    let mutex = Mutex::new(vec![vec![1_u8, 2]]);
    let guard = mutex.try_lock().expect("free");
    let guard = MutexGuard::try_map(guard, |rows| rows.get_mut(1)).expect_err("one row");
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &raw const mutex));
    assert!(mutex.try_lock().is_err(), "it is still held");
    let row = MutexGuard::try_map(guard, |rows| rows.get_mut(0)).expect("one row");
    let row = MappedMutexGuard::try_map(row, |row| row.get_mut(5..)).expect_err("two bytes");
    // A part without a size of its own.
    let mut tail = MappedMutexGuard::try_map(row, |row| row.get_mut(1..)).expect("two bytes");
    tail.fill(7);
    drop(tail);
    let text = MutexGuard::map(
        mutex.try_lock().expect("free"),
        |rows| -> &mut dyn fmt::Debug { &mut rows[0] },
    );
    assert_eq!(format!("{text:?}"), "[1, 7]");
}

#[test]
fn an_owned_guard_of_a_part_keeps_the_whole_alive() {
    let drops = Drops::new();
    let mutex = Arc::new(Mutex::new((1, drops.token())));
    let guard = mutex.clone().try_lock_owned().expect("free");
    let guard = OwnedMutexGuard::try_map(guard, |_| None::<&mut Token>).expect_err("none");
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
    let number = OwnedMutexGuard::map(guard, |pair| &mut pair.0);
    let number = OwnedMappedMutexGuard::try_map(number, |n| (*n > 1).then_some(n));
    let mut number = OwnedMappedMutexGuard::map(number.expect_err("1"), |n| n);
    assert!(mutex.try_lock().is_err());
    let weak = Arc::downgrade(&mutex);
    drop(mutex);
    *number += 1;
    assert_eq!((*number, drops.count()), (2, 0));
    let kept = weak.upgrade().expect("the guard keeps it");
    drop(number);
    assert_eq!(kept.try_lock().expect("free").0, 2);
    drop(kept);
    assert_eq!((drops.count(), weak.strong_count()), (1, 0));
}

/// Panics on purpose in what is given to `map`.
fn fails<F: FnOnce()>(f: F) {
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
}

#[test]
fn a_panic_in_the_choice_of_a_part_unlocks() {
    let mutex = Mutex::new(1);
    fails(|| {
        drop(MutexGuard::map(
            mutex.try_lock().expect("free"),
            |_| -> &mut u8 { panic!("on purpose") },
        ))
    });
    fails(|| {
        let guard = mutex.try_lock().expect("free");
        drop(MutexGuard::try_map(guard, |_| -> Option<&mut u8> {
            panic!("on purpose")
        }));
    });
    assert!(mutex.try_lock().is_ok());
    let lock = RwLock::new(1);
    fails(|| {
        let guard = lock.try_write().expect("free");
        drop(RwLockWriteGuard::downgrade_map(guard, |_| -> &u8 {
            panic!("on purpose")
        }));
    });
    fails(|| {
        drop(RwLockReadGuard::map(
            lock.try_read().expect("free"),
            |_| -> &u8 { panic!("on purpose") },
        ))
    });
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_reader_of_a_part_keeps_writers_out_and_no_readers() {
    let lock = Arc::new(RwLock::new((1, String::from("one"))));
    let name = RwLockReadGuard::map(lock.try_read().expect("free"), |pair| &pair.1);
    let name = RwLockReadGuard::try_map(name, |name| name.get(9..)).expect_err("three bytes");
    let ne = RwLockReadGuard::try_map(name, |name| name.get(1..)).expect("three bytes");
    assert!(lock.try_write().is_err());
    assert_eq!((&*ne, lock.try_read().expect("shared").0), ("ne", 1));
    drop(ne);
    let owned = lock.clone().try_read_owned().expect("free");
    let owned = OwnedRwLockReadGuard::try_map(owned, |_| None::<&u8>).expect_err("none");
    let name = OwnedRwLockReadGuard::map(owned, |pair| &*pair.1);
    assert!(Arc::ptr_eq(OwnedRwLockReadGuard::rwlock(&name), &lock));
    assert_eq!(
        (format!("{name}"), format!("{name:?}")),
        ("one".into(), "\"one\"".into())
    );
    assert!(lock.try_write().is_err());
    drop(name);
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_writer_of_a_part_is_alone() {
    let lock = Arc::new(RwLock::new((1, 2)));
    let guard = lock.try_write().expect("free");
    let guard = RwLockWriteGuard::try_map(guard, |_| None::<&mut u8>).expect_err("none");
    let first = RwLockWriteGuard::try_map(guard, |pair| Some(&mut pair.0)).expect("some");
    let first = RwLockMappedWriteGuard::try_map(first, |_| None::<&mut u8>).expect_err("none");
    let mut first = RwLockMappedWriteGuard::map(first, |n| n);
    assert!(lock.try_read().is_err());
    *first += 10;
    drop(first);
    let mut whole = RwLockWriteGuard::into_mapped(lock.try_write().expect("free"));
    whole.1 += 10;
    assert!(lock.try_read().is_err());
    drop(whole);
    let guard = lock.clone().try_write_owned().expect("free");
    let guard = OwnedRwLockWriteGuard::try_map(guard, |_| None::<&mut u8>).expect_err("none");
    assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&guard), &lock));
    let whole = OwnedRwLockWriteGuard::into_mapped(guard);
    let first = OwnedRwLockMappedWriteGuard::map(whole, |pair| &mut pair.0);
    let mut first =
        OwnedRwLockMappedWriteGuard::try_map(first, |n| (*n > 99).then_some(n)).expect_err("11");
    assert!(Arc::ptr_eq(
        OwnedRwLockMappedWriteGuard::rwlock(&first),
        &lock
    ));
    *first += 10;
    assert!(lock.try_read().is_err());
    drop(first);
    assert_eq!(*lock.try_read().expect("free"), (21, 12));
}

#[test]
fn a_writer_becomes_a_reader_of_a_part_after_the_choice() {
    let lock = Arc::new(RwLock::new((1, 2)));
    let alone = || assert!(lock.try_read().is_err());
    let guard = lock.try_write().expect("free");
    let guard = RwLockWriteGuard::try_downgrade_map(guard, |_| None::<&u8>).expect_err("none");
    alone();
    let woken = [Woken::new(), Woken::new()];
    let (mut reads, mut writes) = (Box::pin(lock.read()), Box::pin(lock.write()));
    assert!(poll_with(&mut reads, &woken[0]).is_pending());
    assert!(poll_with(&mut writes, &woken[1]).is_pending());
    let counts = || woken.each_ref().map(|woken| woken.count());
    let first = RwLockWriteGuard::downgrade_map(guard, |pair| {
        assert_eq!(counts(), [0, 0]);
        &pair.0
    });
    assert_eq!(counts(), [1, 0], "the reader that waits, and no writer");
    assert!(poll(&mut reads).is_ready());
    assert_eq!((*first, counts()), (1, [1, 0]));
    drop(first);
    assert_eq!(counts(), [1, 1]);
    drop((reads, writes));

    let guard = lock.clone().try_write_owned().expect("free");
    let guard = OwnedRwLockWriteGuard::try_downgrade_map(guard, |_| None::<&u8>).expect_err("none");
    alone();
    let second = OwnedRwLockWriteGuard::try_downgrade_map(guard, |pair| {
        alone();
        Some(&pair.1)
    });
    assert_eq!(lock.try_read().expect("shared").1, *second.expect("some"));
    let guard = lock.clone().try_write_owned().expect("free");
    let second = OwnedRwLockWriteGuard::downgrade_map(guard, |pair| &pair.1);
    assert!(lock.try_read().is_ok() && lock.try_write().is_err());
    drop(second);
    assert!(lock.try_write().is_ok());
}

/// Whether a type has a trait, told by which of two constants of a name is seen.
struct Is<T: ?Sized>(PhantomData<T>);
trait Not {
    const SEND: bool = false;
    const SYNC: bool = false;
}
impl<T: ?Sized> Not for Is<T> {}
impl<T: ?Sized + Send> Is<T> {
    const SEND: bool = true;
}
impl<T: ?Sized + Sync> Is<T> {
    const SYNC: bool = true;
}

#[test]
fn guards_go_where_what_they_lend_may_go() {
    macro_rules! both {
        ($($guard:ty: $send:literal, $sync:literal;)*) => {
            $(
                let found = (Is::<$guard>::SEND, Is::<$guard>::SYNC);
                assert_eq!(found, ($send, $sync), stringify!($guard));
            )*
        };
    }
    // A cell may be sent and not shared; a guard of std's may be shared and not sent.
    type Stays = std::sync::MutexGuard<'static, u8>;
    both! {
        MutexGuard<'_, u8>: true, true;
        MutexGuard<'_, Cell<u8>>: true, false;
        MutexGuard<'_, Stays>: false, false;
        MappedMutexGuard<'_, u8>: true, true;
        MappedMutexGuard<'_, Cell<u8>>: true, false;
        MappedMutexGuard<'_, Stays>: false, true;
        OwnedMutexGuard<Cell<u8>>: true, false;
        OwnedMutexGuard<Stays>: false, false;
        OwnedMappedMutexGuard<u8, u8>: true, true;
        OwnedMappedMutexGuard<Cell<u8>, u8>: true, true;
        OwnedMappedMutexGuard<u8, Cell<u8>>: true, false;
        OwnedMappedMutexGuard<Stays, u8>: false, false;
        OwnedMappedMutexGuard<u8, Stays>: false, true;
        RwLockReadGuard<'_, u8>: true, true;
        RwLockReadGuard<'_, Cell<u8>>: false, false;
        RwLockReadGuard<'_, Stays>: true, true;
        RwLockWriteGuard<'_, u8>: true, true;
        // It may become a reader beside those of the thread that it came from.
        RwLockWriteGuard<'_, Cell<u8>>: false, false;
        RwLockWriteGuard<'_, Stays>: false, false;
        RwLockMappedWriteGuard<'_, Cell<u8>>: true, false;
        RwLockMappedWriteGuard<'_, Stays>: false, true;
        OwnedRwLockReadGuard<u8, u8>: true, true;
        OwnedRwLockReadGuard<Cell<u8>, u8>: false, false;
        OwnedRwLockReadGuard<u8, Cell<u8>>: false, false;
        OwnedRwLockReadGuard<Stays, u8>: false, false;
        OwnedRwLockReadGuard<u8, Stays>: true, true;
        OwnedRwLockWriteGuard<Cell<u8>>: false, false;
        OwnedRwLockMappedWriteGuard<u8, Cell<u8>>: true, false;
        OwnedRwLockMappedWriteGuard<Cell<u8>, u8>: false, false;
    }
}

/// The report of a task that tells `story`, when it waits: of circles that are
/// proven, and of those that are suspected.
fn told(story: impl Future<Output = ()> + Send + 'static) -> (String, String) {
    let rt = Builder::new().procs(1).build().expect("a runtime");
    let task = rt.spawn(story);
    let _entered = rt.handle().enter();
    let text = |cycles: Vec<leak::Cycle>| cycles.iter().map(ToString::to_string).collect();
    let waits = || gmp::profiler::stack_all().contains(&format!("goroutine {} [sync.", task.id()));
    eventually("the task waits", waits);
    (text(leak::cycles()), text(leak::suspected_cycles()))
}

fn line_of(mark: &str) -> usize {
    let mut lines = include_str!("mapped.rs").lines();
    let marked = |line: &str| line.ends_with(&format!("// here: {mark}"));
    1 + lines.position(marked).expect("a mark")
}

/// A lock that was narrowed to a part is held by who took it, at the same place.
#[test]
fn reports_know_the_holder_of_a_part() {
    let (proven, _) = told(async {
        let lock = Mutex::new((1, 2));
        let guard = lock.lock().await; // here: mutex
        let _first = MutexGuard::map(guard, |pair| &mut pair.0);
        let _again = lock.lock().await;
    });
    assert!(
        proven.contains(&format!("{}:{}\n", file!(), line_of("mutex"))),
        "{proven}"
    );
    let (proven, _) = told(async {
        let lock = RwLock::new((1, 2));
        let guard = lock.read().await; // here: read
        let _first = RwLockReadGuard::map(guard, |pair| &pair.0);
        let _writes = lock.write().await;
    });
    assert!(
        proven.contains(&format!("{}:{}\n", file!(), line_of("read"))),
        "{proven}"
    );
    let (proven, _) = told(async {
        let lock = RwLock::new((1, 2));
        let guard = lock.write().await; // here: write
        let _first = RwLockWriteGuard::map(guard, |pair| &mut pair.0);
        let _reads = lock.read().await;
    });
    assert!(
        proven.contains(&format!("{}:{}\n", file!(), line_of("write"))),
        "{proven}"
    );
    let (proven, _) = told(async {
        let lock = RwLock::new((1, 2));
        let guard = lock.write().await; // here: downgrade
        let _first = RwLockWriteGuard::downgrade_map(guard, |pair| &pair.0);
        let _writes = lock.write().await;
    });
    assert!(
        proven.contains(&format!("{}:{}\n", file!(), line_of("downgrade"))),
        "{proven}"
    );
    // Whoever holds it may have been given the guard: that is no proof.
    let (proven, suspected) = told(async {
        let lock = Arc::new(Mutex::new((1, 2)));
        let guard = lock.clone().lock_owned().await; // here: owned
        let _first = OwnedMutexGuard::map(guard, |pair| &mut pair.0);
        let _again = lock.lock().await;
    });
    assert_eq!(proven, "");
    assert!(
        suspected.contains(&format!("{}:{}\n", file!(), line_of("owned"))),
        "{suspected}"
    );
}

/// Why a writer of a part cannot become a reader: the number of an atomic is its own
/// alone, and readers of the whole could change it.
#[test]
fn a_part_that_only_a_writer_may_reach() {
    let lock = RwLock::new(AtomicU32::new(1));
    let mut number = RwLockWriteGuard::map(lock.try_write().expect("free"), AtomicU32::get_mut);
    *number += 1;
    drop(number);
    assert_eq!(lock.into_inner().into_inner(), 2);
}
