//! Registrations come and go and leave nothing behind.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::{Count, block, on_each, settle, stream, turn};
use crate::sys::Happened;
use crate::{Direction, Registered};

const HANGUP: Happened = Happened {
    read: true,
    write: true,
    hup: true,
    error_only: false,
};

/// Fault F2, bugs 36 and 52: a refused registration leaks nothing and does not
/// touch the one that is there.
#[test]
fn a_refused_registration_leaves_nothing_behind() {
    on_each(|reactor| {
        for _ in 0..200 {
            let file = File::open(env!("CARGO_MANIFEST_PATH")).unwrap();
            let error = Registered::new(&reactor, file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        }
        assert_eq!((reactor.table_len(), reactor.sources()), (0, 0));

        let (near, mut far) = stream(&reactor);
        let (count, waker) = Count::new();
        for _ in 0..200 {
            let twice = Registered::new(&reactor, near.get_ref());
            assert_eq!(twice.unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        assert_eq!((reactor.table_len(), reactor.sources()), (1, 1));
        block(near.source(), Direction::Read, &waker);
        far.write_all(b"x").unwrap();
        assert_eq!(turn(&reactor), 1);
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn the_table_is_empty_after_the_last_source() {
    on_each(|reactor| {
        for _ in 0..3 {
            let pairs: Vec<_> = (0..50).map(|_| stream(&reactor)).collect();
            assert_eq!((reactor.table_len(), reactor.sources()), (50, 50));
            drop(pairs);
            assert_eq!((reactor.table_len(), reactor.sources()), (0, 0));
        }
    });
}

/// A descriptor that was given back can be registered again, and its owner
/// works on.
#[test]
fn what_is_taken_out_can_be_registered_again() {
    on_each(|reactor| {
        let (near, mut far) = stream(&reactor);
        let near = near.into_inner();
        far.write_all(b"x").unwrap();
        assert_eq!(turn(&reactor), 0);
        let near = Registered::new(&reactor, near).unwrap();
        assert_eq!(turn(&reactor), 1);
        assert!(near.get_ref().peer_addr().unwrap().is_unnamed());
    });
}

/// Rule R-POLL-14, bug 48: a hang-up of the old descriptor that some thread
/// still has in its hands does not reach the new one.
#[test]
fn an_event_in_flight_does_not_reach_the_next_owner_of_the_entry() {
    on_each(|reactor| {
        let (old, far) = stream(&reactor);
        let key = old.source().desc().key();
        let (count, waker) = Count::new();
        block(old.source(), Direction::Read, &waker);
        drop(far);
        drop(old);
        assert_eq!(count.get(), 1, "a dropped source wakes who waits");

        let (new, mut far) = stream(&reactor);
        assert_ne!(new.source().desc().key(), key);
        block(new.source(), Direction::Read, &waker);
        settle(&reactor);
        let mut ready = Vec::new();
        reactor.late_event(key, HANGUP, &mut ready);
        assert!(ready.is_empty());
        block(new.source(), Direction::Read, &waker);
        far.write_all(b"x").unwrap();
        turn(&reactor);
        assert_eq!(count.get(), 2);
    });
}

/// The same against real events: sources are dropped with a hang-up pending
/// while another thread polls.
#[test]
fn no_new_source_is_woken_by_an_old_ones_hangup() {
    use std::sync::atomic::{AtomicBool, Ordering};
    on_each(|reactor| {
        let end = Arc::new(AtomicBool::new(false));
        let poller = std::thread::spawn({
            let (reactor, end) = (Arc::clone(&reactor), Arc::clone(&end));
            move || {
                while !end.load(Ordering::Acquire) {
                    turn(&reactor);
                }
            }
        });
        for _ in 0..2_000 {
            let (near, far) = UnixStream::pair().unwrap();
            let near = Registered::new(&reactor, near).unwrap();
            drop(far);
            drop(near);
            let (near, _far) = UnixStream::pair().unwrap();
            let near = Registered::new(&reactor, near).unwrap();
            let (count, waker) = Count::new();
            block(near.source(), Direction::Read, &waker);
            std::thread::yield_now();
            assert_eq!(count.get(), 0);
        }
        end.store(true, Ordering::Release);
        poller.join().unwrap();
    });
}

/// Bug 48: the kernel keeps a registration while a duplicate of the descriptor
/// lives, so it is taken out by hand.
#[test]
fn a_duplicate_that_outlives_its_source_makes_no_events() {
    on_each(|reactor| {
        let (near, mut far) = stream(&reactor);
        let duplicate = near.get_ref().try_clone().unwrap();
        drop(near);
        far.write_all(b"x").unwrap();
        drop(far);
        assert_eq!(turn(&reactor), 0);
        drop(duplicate);
    });
}

/// Bug 47.
#[test]
fn a_hundred_thousand_cancelled_waits_leave_no_waker() {
    let reactor = crate::Reactor::new().unwrap();
    let (near, mut far) = stream(&reactor);
    let (count, waker) = Count::new();
    // The source starts ready; this wait ends that.
    block(near.source(), Direction::Read, Waker::noop());
    for _ in 0..100_000 {
        let mut wait = near.source().ready(Direction::Read);
        let polled = std::pin::Pin::new(&mut wait).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    assert_eq!(near.source().desc().seats(), 0);
    assert_eq!(Arc::strong_count(&count), 2, "the test's and its waker's");
    far.write_all(b"x").unwrap();
    turn(&reactor);
    assert_eq!((count.get(), reactor.waiters()), (0, 0));
}

struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a foreign waker that panics");
    }
}

#[test]
fn a_waker_that_panics_loses_nobody_elses_wake() {
    on_each(|reactor| {
        let (near, _far) = stream(&reactor);
        let (count, waker) = Count::new();
        let bomb = Waker::from(Arc::new(Bomb));
        block(near.source(), Direction::Read, &bomb);
        block(near.source(), Direction::Write, &waker);
        assert!(catch_unwind(AssertUnwindSafe(|| reactor.close())).is_err());
        assert_eq!(count.get(), 1);

        let reactor = crate::Reactor::new().unwrap();
        let (near, _far) = stream(&reactor);
        block(near.source(), Direction::Read, &bomb);
        block(near.source(), Direction::Write, &waker);
        drop(near);
        assert_eq!(count.get(), 2, "a destructor passes no panic on");
    });
}
