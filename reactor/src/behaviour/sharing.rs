//! Several tasks on one direction (bug 49).

use std::os::unix::net::UnixDatagram;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::{Count, on_each, stream, turn};
use crate::{Direction, Drained, Registered};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn an_event_wakes_every_future_that_waits() {
    on_each(|reactor| {
        use std::io::Write;
        let (near, mut far) = stream(&reactor);
        let source = near.source();
        super::block(source, Direction::Read, Waker::noop());
        let (count, waker) = Count::new();
        let mut waits: Vec<_> = (0..3).map(|_| source.ready(Direction::Read)).collect();
        let mut cx = Context::from_waker(&waker);
        for wait in &mut waits {
            assert!(pin!(wait).poll(&mut cx).is_pending());
        }
        assert_eq!(reactor.waiters(), 1, "directions are counted, not tasks");
        far.write_all(b"x").unwrap();
        turn(&reactor);
        assert_eq!(count.get(), 3);
        for wait in &mut waits {
            assert!(matches!(pin!(wait).poll(&mut cx), Poll::Ready(Ok(()))));
        }
    });
}

/// Two threads receive from one socket while a third polls: each datagram
/// arrives once and nobody sleeps over one.
#[test]
fn two_readers_of_one_socket_get_every_datagram() {
    const DATAGRAMS: u32 = 5_000;
    on_each(|reactor| {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let near = Arc::new(Registered::new(&reactor, near).unwrap());
        let end = Arc::new(AtomicBool::new(false));
        let poller = thread::spawn({
            let (reactor, end) = (Arc::clone(&reactor), Arc::clone(&end));
            move || {
                let mut ready = Vec::new();
                while !end.load(Ordering::Acquire) {
                    reactor.poll(None, &mut ready).unwrap();
                    ready.drain(..).rev().for_each(Waker::wake);
                }
            }
        });
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let near = Arc::clone(&near);
                thread::spawn(move || {
                    let mut sum = 0_u64;
                    loop {
                        let mut buffer = [0; 4];
                        let received = near.source().io(Direction::Read, || {
                            Ok((near.get_ref().recv(&mut buffer)?, Drained::No))
                        });
                        assert_eq!(block_on(received).unwrap(), 4);
                        match u32::from_ne_bytes(buffer) {
                            0 => return sum,
                            number => sum += u64::from(number),
                        }
                    }
                })
            })
            .collect();
        for number in (1..=DATAGRAMS).chain([0, 0]) {
            far.send(&number.to_ne_bytes()).unwrap();
        }
        let sum: u64 = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert_eq!(sum, u64::from(DATAGRAMS) * u64::from(DATAGRAMS + 1) / 2);
        end.store(true, Ordering::Release);
        reactor.wake();
        poller.join().unwrap();
    });
}
