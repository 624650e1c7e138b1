//! From events to wakers: order, batches, what a hang-up does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::{Count, Named, block, on_each, poll_io, settle, stream, turn};
use crate::sys::Happened;
use crate::{Direction, Drained, Registered};

/// Rule R-POLL-8, test T-72: with the list used from its end, the last event's
/// reader runs first.
#[test]
fn t72_readers_run_in_reverse_order_of_the_events() {
    on_each(|reactor| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let pairs: Vec<_> = (0..3).map(|_| stream(&reactor)).collect();
        for ((near, far), name) in pairs.iter().zip(["g1", "g2", "g3"]) {
            let waker = Waker::from(Arc::new(Named(name, Arc::clone(&log))));
            block(near.source(), Direction::Read, &waker);
            (&mut &*far).write_all(b"x").unwrap();
        }
        assert_eq!(turn(&reactor), 3);
        assert_eq!(*log.lock().unwrap(), ["g3", "g2", "g1"]);
    });
}

/// Rule R-POLL-8, test T-73.
#[test]
fn t73_a_hangup_wakes_the_writer_before_the_reader() {
    on_each(|reactor| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (near, far) = stream(&reactor);
        for (dir, name) in [(Direction::Read, "reader"), (Direction::Write, "writer")] {
            // A writer that waits on an empty buffer gets its event at once
            // from a poller without edges; take it, and wait for the next.
            let waker = Waker::from(Arc::new(Named(name, Arc::clone(&log))));
            block(near.source(), dir, &waker);
        }
        settle(&reactor);
        for (dir, name) in [(Direction::Read, "reader"), (Direction::Write, "writer")] {
            let waker = Waker::from(Arc::new(Named(name, Arc::clone(&log))));
            block(near.source(), dir, &waker);
        }
        drop(far);
        assert_eq!(turn(&reactor), 1);
        assert_eq!(*log.lock().unwrap(), ["writer", "reader"]);
    });
}

/// Rules R-POLL-2, R-POLL-3, test T-74.
#[test]
fn t74_readiness_without_a_waiter_is_found_by_the_next_wait() {
    on_each(|reactor| {
        let (near, mut far) = stream(&reactor);
        let (count, waker) = Count::new();
        far.write_all(b"x").unwrap();
        assert_eq!(turn(&reactor), usize::from(!reactor.poller().is_one_shot()));
        let read = || Ok((near.get_ref().read(&mut [0; 8])?, Drained::No));
        assert!(matches!(
            poll_io(near.source(), Direction::Read, &waker, read),
            Poll::Ready(Ok(1))
        ));
        assert!(poll_io(near.source(), Direction::Read, &waker, read).is_pending());
        assert_eq!((count.get(), reactor.waiters()), (0, 1));
    });
}

/// Rule R-POLL-8, test T-78.
#[test]
fn t78_one_poll_takes_128_events_and_the_next_the_rest() {
    on_each(|reactor| {
        let (count, waker) = Count::new();
        let mut pairs: Vec<_> = (0..130).map(|_| stream(&reactor)).collect();
        for (near, far) in &mut pairs {
            block(near.source(), Direction::Read, &waker);
            far.write_all(b"x").unwrap();
        }
        let mut ready = Vec::new();
        assert_eq!(reactor.poll(None, &mut ready).unwrap(), 128);
        assert_eq!(ready.len(), 128);
        assert_eq!(reactor.poll(None, &mut ready).unwrap(), 2);
        assert_eq!(ready.len(), 130);
        assert_eq!(turn(&reactor), 0);
        ready.into_iter().for_each(Waker::wake);
        assert_eq!(count.get(), 130);
    });
}

/// Rule R-POLL-12, test T-80; fails by design in Go 1.17.
#[test]
fn t80_the_count_of_waiters_goes_back_to_zero() {
    on_each(|reactor| {
        let (_, waker) = Count::new();
        let (near, mut far) = stream(&reactor);
        for _ in 0..20 {
            block(near.source(), Direction::Read, &waker);
            assert_eq!(reactor.waiters(), 1);
            far.write_all(b"x").unwrap();
            turn(&reactor);
            assert_eq!(reactor.waiters(), 0);
            let read = || Ok((near.get_ref().read(&mut [0; 8])?, Drained::Yes));
            assert!(poll_io(near.source(), Direction::Read, &waker, read).is_ready());
        }
    });
}

/// The peer's last bytes and its end of stream come as one event; a reader that
/// takes a short read for "drained" still finds the end.
#[cfg(target_os = "linux")]
#[test]
fn a_short_read_does_not_hide_the_end_of_the_stream() {
    use rustix::event::{PollFd, PollFlags};
    on_each(|reactor| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = listener.accept().unwrap().0;
        near.set_nonblocking(true).unwrap();
        let near = Registered::new(&reactor, near).unwrap();
        let (_, waker) = Count::new();
        let read = || Ok((near.get_ref().read(&mut [0; 64])?, Drained::Yes));
        assert!(poll_io(near.source(), Direction::Read, &waker, read).is_pending());

        far.write_all(b"last").unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        let mut end = [PollFd::new(near.get_ref(), PollFlags::RDHUP)];
        rustix::event::poll(&mut end, None).unwrap();
        assert!(
            reactor
                .poll(Some(Duration::from_secs(10)), &mut Vec::new())
                .unwrap()
                > 0
        );
        settle(&reactor);
        let mut lengths = Vec::new();
        for _ in 0..2 {
            match poll_io(near.source(), Direction::Read, &waker, read) {
                Poll::Ready(Ok(length)) => lengths.push(length),
                other => panic!("{other:?} after {lengths:?}"),
            }
        }
        assert_eq!(lengths, [4, 0]);
    });
}

/// A drained direction waits without a system call, and the next bytes wake it.
#[test]
fn a_drained_direction_waits_for_the_next_event_without_a_try() {
    let reactor = crate::Reactor::new().unwrap();
    let (near, mut far) = stream(&reactor);
    let (count, waker) = Count::new();
    let mut tries = 0;
    let mut read = || {
        tries += 1;
        Ok((near.get_ref().read(&mut [0; 64])?, Drained::Yes))
    };
    far.write_all(b"one").unwrap();
    assert!(poll_io(near.source(), Direction::Read, &waker, &mut read).is_ready());
    settle(&reactor);
    assert!(poll_io(near.source(), Direction::Read, &waker, &mut read).is_pending());
    far.write_all(b"two").unwrap();
    turn(&reactor);
    assert_eq!(count.get(), 1);
    assert!(poll_io(near.source(), Direction::Read, &waker, &mut read).is_ready());
    // Once for each piece: the first event, taken late, says nothing of bytes.
    assert_eq!(tries, 2);
}

/// A hang-up that nobody reads must not make every poll return at once.
#[test]
fn an_unread_hangup_is_reported_once() {
    on_each(|reactor| {
        let (near, far) = stream(&reactor);
        let (_, waker) = Count::new();
        block(near.source(), Direction::Read, &waker);
        drop(far);
        assert_eq!(turn(&reactor), 1);
        assert_eq!(turn(&reactor), 0);
    });
}

/// Rules R-POLL-4, R-POLL-8: after an event that is an error and nothing else, a
/// reader that would wait gets an error, a writer waits.
#[test]
fn a_reader_does_not_wait_behind_a_bare_error() {
    on_each(|reactor| {
        let (near, _far) = stream(&reactor);
        let (_, waker) = Count::new();
        let mut event = Happened {
            read: true,
            write: true,
            hup: true,
            error_only: true,
        };
        let key = near.source().desc().key();
        reactor.late_event(key, event, &mut Vec::new());
        block(near.source(), Direction::Write, &waker);
        let vain = || Err(std::io::ErrorKind::WouldBlock.into());
        let polled = poll_io(near.source(), Direction::Read, &waker, vain);
        assert_eq!(super::kind(polled), Some(std::io::ErrorKind::Other));
        event.error_only = false;
        reactor.late_event(key, event, &mut Vec::new());
        block(near.source(), Direction::Read, &waker);
    });
}

#[test]
fn an_interrupted_operation_is_tried_again_and_another_error_comes_back() {
    on_each(|reactor| {
        let (near, _far) = stream(&reactor);
        let (_, waker) = Count::new();
        let mut kinds = [
            std::io::ErrorKind::Interrupted,
            std::io::ErrorKind::BrokenPipe,
        ]
        .into_iter();
        let polled = poll_io(near.source(), Direction::Write, &waker, || {
            Err(kinds.next().expect("two tries").into())
        });
        assert_eq!(super::kind(polled), Some(std::io::ErrorKind::BrokenPipe));
        let again = near
            .source()
            .try_io(Direction::Write, || Ok(((), Drained::No)));
        assert!(again.is_ok(), "an error leaves the direction ready");
    });
}

#[test]
fn an_operation_that_panics_leaves_the_direction_ready() {
    let reactor = crate::Reactor::new().unwrap();
    let (near, _far) = stream(&reactor);
    let source = near.source();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        source.try_io(Direction::Read, || -> std::io::Result<((), Drained)> {
            panic!("op")
        })
    }));
    assert!(panicked.is_err());
    assert!(
        source
            .try_io(Direction::Read, || Ok(((), Drained::No)))
            .is_ok()
    );
}
