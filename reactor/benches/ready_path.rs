//! What does the reactor add to a system call on a descriptor that is ready,
//! and what does a full round (park, event, wake, read) cost?
//!
//! `cargo bench -p gmp-reactor`; minimum and median of the rounds, in
//! nanoseconds an operation. With `--test` it runs each once.

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use gmp_reactor::{Direction, Drained, Reactor, Registered};

const ROUNDS: usize = 21;

fn measure(name: &str, operations: u32, mut operation: impl FnMut()) {
    let test = std::env::args().any(|argument| argument == "--test");
    let (rounds, operations) = if test { (1, 1) } else { (ROUNDS, operations) };
    let mut nanos: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..operations {
                operation();
            }
            start.elapsed().as_nanos() as f64 / f64::from(operations)
        })
        .collect();
    nanos.sort_by(f64::total_cmp);
    println!(
        "{name:32} min {:8.1}  median {:8.1}",
        nanos[0],
        nanos[rounds / 2]
    );
}

fn main() {
    let reactor = Reactor::new().expect("a reactor");
    let (near, mut far) = UnixStream::pair().expect("a pair");
    near.set_nonblocking(true).expect("non-blocking mode");
    let near = Registered::new(&reactor, near).expect("a registration");
    let source = near.source();
    let mut cx = Context::from_waker(Waker::noop());

    measure("poll_io, ready, empty operation", 1_000_000, || {
        let polled = source.poll_io(Direction::Write, &mut cx, || {
            Ok((black_box(1), Drained::No))
        });
        assert!(polled.is_ready());
    });

    let mut buffer = [0; 64];
    measure("write and read, no reactor", 20_000, || {
        far.write_all(b"x").expect("room");
        assert_eq!(near.get_ref().read(&mut buffer).expect("a byte"), 1);
    });
    measure("write and read, poll_io", 20_000, || {
        far.write_all(b"x").expect("room");
        let polled = source.poll_io(Direction::Read, &mut cx, || {
            Ok((near.get_ref().read(&mut buffer)?, Drained::No))
        });
        assert!(matches!(polled, Poll::Ready(Ok(1))));
    });

    let mut ready = Vec::new();
    measure("park, write, poll, wake, read", 20_000, || {
        let mut read = || {
            source.poll_io(Direction::Read, &mut cx, || {
                Ok((near.get_ref().read(&mut buffer)?, Drained::Yes))
            })
        };
        assert!(read().is_pending());
        far.write_all(b"x").expect("room");
        while ready.is_empty() {
            reactor.poll(None, &mut ready).expect("events");
        }
        ready.drain(..).for_each(Waker::wake);
        assert!(read().is_ready());
    });

    measure("poll without events", 20_000, || {
        let events = reactor
            .poll(Some(Duration::ZERO), &mut ready)
            .expect("no error");
        assert_eq!(events, 0);
    });
    measure("break and blocking poll", 20_000, || {
        reactor.wake();
        assert_eq!(reactor.poll(None, &mut ready).expect("no error"), 0);
    });
}
