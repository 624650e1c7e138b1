//! The break of a blocked poll (R-POLL-10).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::on_each;

/// What a lost break costs; no test comes near it otherwise.
const LONG: Duration = Duration::from_secs(60);

/// After Go's TestNetpollBreak: a long poll returns promptly after a break.
#[test]
fn a_break_ends_a_blocked_poll() {
    on_each(|reactor| {
        let start = Instant::now();
        for _ in 0..100 {
            let blocked = thread::spawn({
                let reactor = Arc::clone(&reactor);
                move || reactor.poll(Some(LONG), &mut Vec::new()).unwrap()
            });
            reactor.wake();
            assert_eq!(blocked.join().unwrap(), 0);
        }
        assert!(start.elapsed() < LONG);
    });
}

/// Test T-79: a break that only a non-blocking poll met is not used up.
#[test]
fn t79_a_break_waits_for_the_next_blocking_poll() {
    on_each(|reactor| {
        let start = Instant::now();
        reactor.wake();
        reactor.wake();
        for _ in 0..3 {
            assert_eq!(
                reactor.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap(),
                0
            );
        }
        assert_eq!(reactor.poll(Some(LONG), &mut Vec::new()).unwrap(), 0);
        assert!(start.elapsed() < LONG);
    });
}

#[test]
fn a_used_break_does_not_end_the_next_poll() {
    on_each(|reactor| {
        reactor.wake();
        reactor.poll(Some(LONG), &mut Vec::new()).unwrap();
        let start = Instant::now();
        let pause = Duration::from_millis(20);
        reactor.poll(Some(pause), &mut Vec::new()).unwrap();
        assert!(start.elapsed() >= pause);
    });
}

/// A blocked poll gets each break although another thread polls all the time
/// and takes most of the events.
#[test]
fn no_break_is_lost_beside_a_poll_that_does_not_block() {
    on_each(|reactor| {
        const BREAKS: usize = 500;
        let returned = Arc::new(AtomicUsize::new(0));
        let end = Arc::new(AtomicBool::new(false));
        let blocked = thread::spawn({
            let (reactor, returned) = (Arc::clone(&reactor), Arc::clone(&returned));
            let end = Arc::clone(&end);
            move || {
                while !end.load(Ordering::Acquire) {
                    let start = Instant::now();
                    reactor.poll(Some(LONG), &mut Vec::new()).unwrap();
                    assert!(start.elapsed() < LONG, "a break was lost");
                    returned.fetch_add(1, Ordering::Release);
                }
            }
        });
        let busy = thread::spawn({
            let (reactor, end) = (Arc::clone(&reactor), Arc::clone(&end));
            move || {
                while !end.load(Ordering::Acquire) {
                    reactor.poll(Some(Duration::ZERO), &mut Vec::new()).unwrap();
                }
            }
        });
        for _ in 0..BREAKS {
            let before = returned.load(Ordering::Acquire);
            reactor.wake();
            while returned.load(Ordering::Acquire) == before && !blocked.is_finished() {
                thread::yield_now();
            }
        }
        end.store(true, Ordering::Release);
        reactor.wake();
        blocked.join().unwrap();
        busy.join().unwrap();
        assert!(returned.load(Ordering::Relaxed) >= BREAKS);
    });
}

#[test]
fn closing_ends_a_blocked_poll() {
    on_each(|reactor| {
        let start = Instant::now();
        let blocked = thread::spawn({
            let reactor = Arc::clone(&reactor);
            move || reactor.poll(Some(LONG), &mut Vec::new()).unwrap()
        });
        reactor.close();
        blocked.join().unwrap();
        assert!(start.elapsed() < LONG);
    });
}
