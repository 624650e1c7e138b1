//! Wakers that touch timers themselves, when they are woken and when they are dropped;
//! and what comes in while the clock stands still.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use gmp::net::UnixDatagram;
use gmp::time::{Sleep, sleep, timeout};

use super::{HOUR, MS, runtime, stopped};
use crate::eventually::eventually;
use crate::watchdog::within;

/// Drops its sleep when it is woken, or with itself; in the latter case another one is
/// begun first.
struct Owner(Mutex<Option<Pin<Box<Sleep>>>>);

impl Owner {
    /// Of a sleep that has begun.
    fn new() -> Arc<Owner> {
        let mut owned = Box::pin(sleep(HOUR));
        assert!(begun(&mut owned, Waker::noop()));
        Arc::new(Owner(Mutex::new(Some(owned))))
    }
}

impl Wake for Owner {
    fn wake(self: Arc<Owner>) {
        drop(self.0.lock().expect("no panic").take());
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut other = Box::pin(sleep(HOUR));
        assert!(begun(&mut other, Waker::noop()));
    }
}

pub(crate) fn begun(sleep: &mut Pin<Box<Sleep>>, waker: &Waker) -> bool {
    let cx = &mut Context::from_waker(waker);
    sleep.as_mut().poll(cx).is_pending()
}

#[test]
fn a_waker_may_drop_another_sleep() {
    within(60, || {
        for procs in [1, 4] {
            let rt = runtime(procs);
            let (owner, short) = rt.block_on(async {
                let owner = Owner::new();
                let mut short = Box::pin(sleep(MS));
                while begun(&mut short, &Waker::from(owner.clone())) {
                    gmp::task::yield_now().await;
                }
                drop(short);
                // One that has not ended before its first poll, so that it wakes.
                let short = loop {
                    let mut short = Box::pin(sleep(MS));
                    if begun(&mut short, &Waker::from(owner.clone())) {
                        break short;
                    }
                };
                (owner, short)
            });
            eventually("the short one ends", || short.is_elapsed());
            eventually("its waker was woken", || {
                owner.0.lock().expect("no panic").is_none()
            });
        }
    });
}

#[test]
fn the_drop_of_a_waker_may_drop_and_begin_sleeps() {
    within(60, || {
        for procs in [1, 4] {
            runtime(procs).block_on(async {
                // By the next waker, by the end of the sleep, and by a reset.
                let mut sleeps = [1, 2, 3].map(|n| Box::pin(sleep(n * HOUR)));
                for sleep in &mut sleeps {
                    assert!(begun(sleep, &Waker::from(Owner::new())));
                }
                let [mut first, second, mut third] = sleeps;
                assert!(begun(&mut first, Waker::noop()));
                drop(second);
                third.as_mut().reset(gmp::time::Instant::now());
                assert!(begun(&mut third, &Waker::from(Owner::new())) || third.is_elapsed());
                third.await;
                sleep(MS).await;
            });
        }
    });
}

/// Whoever has nothing to run looks at the sockets before the clock jumps.
#[test]
fn what_has_come_in_is_found_before_the_clock_jumps() {
    stopped(|| async {
        let (near, far) = UnixDatagram::pair().expect("a pair");
        let (near, far) = (Arc::new(near), Arc::new(far));
        for round in 0..50_u8 {
            let socket = far.clone();
            let waits = gmp::spawn(async move {
                let mut buf = [0; 8];
                let got = timeout(MS, socket.recv(&mut buf)).await;
                got.map(|n| (n.expect("open"), buf[0]))
            });
            near.send(&[round]).await.expect("room");
            assert_eq!(waits.await.expect("no panic"), Ok((1, round)));
        }
    });
}
