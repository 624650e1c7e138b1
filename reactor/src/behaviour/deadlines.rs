//! Deadlines end waits; stale ones do nothing (R-POLL-11).

use std::io::{ErrorKind, Read, Write};
use std::task::Poll;

use super::{Count, block, kind, on_each, poll_io, stream, turn};
use crate::{Direction, Drained};

/// Test T-76.
#[test]
fn t76_a_passed_deadline_ends_the_wait_unless_it_is_moved_in_time() {
    on_each(|reactor| {
        let (near, _far) = stream(&reactor);
        let source = near.source();
        let (count, waker) = Count::new();
        block(source, Direction::Read, &waker);
        source.set_deadline(Direction::Read, Some(99), 100);
        assert_eq!((count.get(), reactor.waiters()), (1, 0));
        let untried = || panic!("an operation ran after its deadline");
        assert_eq!(
            kind(poll_io(source, Direction::Read, &waker, untried)),
            Some(ErrorKind::TimedOut)
        );
        let written = source.try_io(Direction::Write, || Ok(((), Drained::No)));
        assert!(written.is_ok(), "the other direction has its own deadline");

        source.set_deadline(Direction::Read, Some(200), 100);
        block(source, Direction::Read, &waker);
        source.set_deadline(Direction::Read, Some(100), 100);
        assert_eq!(count.get(), 2);
        source.set_deadline(Direction::Read, None, 100);
        block(source, Direction::Read, &waker);
        assert_eq!((count.get(), reactor.waiters()), (2, 1));
    });
}

/// Test T-77, first half.
#[test]
fn t77_a_stale_deadline_is_ignored() {
    on_each(|reactor| {
        let (near, _far) = stream(&reactor);
        let source = near.source();
        let (count, waker) = Count::new();
        block(source, Direction::Write, &waker);
        let stale = source.set_deadline(Direction::Write, Some(200), 100);
        let valid = source.set_deadline(Direction::Write, Some(300), 100);
        source.expire(Direction::Write, stale);
        assert_eq!(count.get(), 0);
        block(source, Direction::Write, &waker);
        source.expire(Direction::Write, valid);
        assert_eq!(count.get(), 1);
        let polled = source.try_io(Direction::Write, || Ok(((), Drained::No)));
        assert_eq!(polled.unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

/// Test T-77, second half.
#[test]
fn t77_close_ends_both_waits_and_all_that_follow() {
    on_each(|reactor| {
        let (near, _far) = stream(&reactor);
        let source = near.source();
        let (count, waker) = Count::new();
        block(source, Direction::Read, &waker);
        block(source, Direction::Write, &waker);
        reactor.close();
        reactor.close();
        assert_eq!((count.get(), reactor.waiters()), (2, 0));
        for dir in [Direction::Read, Direction::Write] {
            let polled = poll_io(source, dir, &waker, || Ok((0, Drained::No)));
            assert_eq!(kind(polled), Some(ErrorKind::Other));
            source.set_deadline(dir, Some(1), 2);
            let error = source.try_io(dir, || Ok(((), Drained::No))).unwrap_err();
            assert!(
                error.to_string().contains("has shut down"),
                "closing goes before timeout"
            );
        }
        let (other, _) = std::os::unix::net::UnixStream::pair().unwrap();
        let refused = crate::Registered::new(&reactor, other).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Other);
    });
}

/// Test T-81, in the caller's time: data before the deadline is read, after it
/// the wait times out.
#[test]
fn t81_data_before_the_deadline_is_read_and_after_it_times_out() {
    on_each(|reactor| {
        let (near, mut far) = stream(&reactor);
        let source = near.source();
        let (count, waker) = Count::new();
        let read = || Ok((near.get_ref().read(&mut [0; 8])?, Drained::No));
        let sequence = source.set_deadline(Direction::Read, Some(50), 0);
        assert!(poll_io(source, Direction::Read, &waker, read).is_pending());
        far.write_all(b"x").unwrap();
        turn(&reactor);
        assert_eq!(count.get(), 1);
        assert!(matches!(
            poll_io(source, Direction::Read, &waker, read),
            Poll::Ready(Ok(1))
        ));
        assert!(poll_io(source, Direction::Read, &waker, read).is_pending());
        source.expire(Direction::Read, sequence);
        assert_eq!(count.get(), 2);
        let polled = poll_io(source, Direction::Read, &waker, read);
        assert_eq!(kind(polled), Some(ErrorKind::TimedOut));
    });
}

/// A timer's end may fire after the source is gone, and does nothing then.
#[test]
fn an_expirer_ends_waits_until_its_source_is_dropped() {
    on_each(|reactor| {
        let (near, _far) = stream(&reactor);
        let source = near.source();
        let expirer = source.expirer();
        let (count, waker) = Count::new();
        block(source, Direction::Read, &waker);
        let first = source.set_deadline(Direction::Read, Some(200), 100);
        expirer.expire(Direction::Read, first);
        assert_eq!(count.get(), 1);
        let last = source.set_deadline(Direction::Read, Some(300), 200);
        block(source, Direction::Read, &waker);
        drop(near);
        assert_eq!(count.get(), 2, "the end of the source wakes who waits");
        expirer.expire(Direction::Read, last);
        assert_eq!(count.get(), 2);
    });
}
