//! What a reactor does, by the numbers of the conformance list, on every
//! poller that this machine can run.

mod breaking;
mod deadlines;
mod events;
mod lifetimes;
mod sharing;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::sys::Poller;
use crate::{Direction, Drained, Reactor, Registered, Source};

/// A waker that counts its wakes.
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self(AtomicUsize::new(0)));
        (Arc::clone(&count), count.into())
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker that writes its name down.
struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// Runs a test on a reactor over each poller.
fn on_each(test: impl Fn(Arc<Reactor>)) {
    for (name, poller) in Poller::all() {
        // Shown with a failing test's output, to tell which poller it was.
        println!("poller: {name}");
        test(Reactor::over(poller));
    }
}

/// A registered stream without pending events, and its peer.
fn stream(reactor: &Arc<Reactor>) -> (Registered<UnixStream>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let near = Registered::new(reactor, near).unwrap();
    settle(reactor);
    (near, far)
}

/// Takes the events that are there already, without waking anybody.
fn settle(reactor: &Reactor) {
    while reactor.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap() > 0 {}
}

/// Polls once without blocking and wakes as the executor does: from the end.
fn turn(reactor: &Reactor) -> usize {
    let mut ready = Vec::new();
    let events = reactor.poll(Some(Duration::ZERO), &mut ready).unwrap();
    while let Some(waker) = ready.pop() {
        waker.wake();
    }
    events
}

/// Waits on a direction as after an operation that would block.
fn block(source: &Source, dir: Direction, waker: &Waker) {
    let polled = poll_io(source, dir, waker, || Err(io::ErrorKind::WouldBlock.into()));
    assert!(polled.is_pending(), "{polled:?}");
}

fn poll_io(
    source: &Source,
    dir: Direction,
    waker: &Waker,
    op: impl FnMut() -> io::Result<(usize, Drained)>,
) -> Poll<io::Result<usize>> {
    source.poll_io(dir, &mut Context::from_waker(waker), op)
}

fn kind<T>(polled: Poll<io::Result<T>>) -> Option<io::ErrorKind> {
    match polled {
        Poll::Ready(Err(error)) => Some(error.kind()),
        _ => None,
    }
}

#[test]
fn the_public_types_are_send_and_sync() {
    fn check<T: Send + Sync + std::fmt::Debug>() {}
    check::<Reactor>();
    check::<Source>();
    check::<Registered<UnixStream>>();
    check::<crate::Ready<'static>>();
    check::<Direction>();
    check::<Drained>();
}
