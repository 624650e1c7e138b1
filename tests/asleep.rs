//! Deadlocks of a process of which every thread is known (R-DEAD-1): whatever its
//! tasks wait for, nobody is left to give it to them. And whatever may still act is
//! the end of that proof.
//!
//! Each story runs in a child of fork, which has one thread: a test's own process
//! has one more.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "forks, asks for a signal, and takes stderr")]

#[path = "support/child.rs"]
mod child;
#[path = "support/forked.rs"]
mod forked;

use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as Std;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, exit};
use std::sync::Arc;
use std::time::Duration;

use futures::AsyncReadExt;
use gmp::chan;
use gmp::net::UnixStream;
use gmp::runtime::{Builder, Runtime};
use gmp::sync::{Barrier, Mutex};

/// So long a story says nothing: the look for a deadlock comes sooner.
const QUIET: Duration = Duration::from_millis(600);

fn runtime() -> Runtime {
    Builder::new().procs(2).build().expect("a runtime")
}

/// Runs the story: the exit status, and what went to stderr.
#[track_caller]
fn alone(test: &str, story: fn()) -> (Option<i32>, String) {
    if child::is_child(test) {
        let ended = forked::fork(story);
        if ended.status != 2 {
            ended.ended_well();
        }
        exit(ended.status);
    }
    let output = child::run(test, &[("GMP_DEBUG", "deadlock=fatal")]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), None, "{text}");
    (output.status.code(), text)
}

#[track_caller]
fn is_a_deadlock(test: &str, story: fn()) -> String {
    let (status, text) = alone(test, story);
    assert_eq!(status, Some(2), "{text}");
    let told = text.matches("fatal error: all goroutines are asleep - deadlock!\n");
    assert_eq!(told.count(), 1, "{text}");
    text
}

#[track_caller]
fn is_no_deadlock(test: &str, story: fn()) {
    let (status, text) = alone(test, story);
    assert_eq!(status, Some(0), "{text}");
    assert!(!text.contains("deadlock!"), "{text}");
}

async fn takes(first: Arc<Mutex<()>>, second: Arc<Mutex<()>>, both: Arc<Barrier>) {
    let _first = first.lock_owned().await;
    both.wait().await;
    let _second = second.lock().await;
}

/// Rule R-DEAD-1. Nobody awaits the second task yet: its handle could be anybody's.
#[test]
fn locks_taken_in_opposite_orders_are_a_deadlock() {
    let test = "locks_taken_in_opposite_orders_are_a_deadlock";
    let text = is_a_deadlock(test, || {
        runtime().block_on(async {
            let (x, y) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
            let both = Arc::new(Barrier::new(2));
            let one = gmp::spawn(takes(x.clone(), y.clone(), both.clone()));
            let other = gmp::spawn(takes(y, x, both));
            one.await.expect("never ends");
            other.await.expect("never ends");
        });
    });
    assert!(text.contains("\ngoroutine 1 [join]:\n"), "{text}");
    assert_eq!(text.matches(" [sync.Mutex.Lock]:\n").count(), 2, "{text}");
}

/// Rule R-DEAD-1. Source: Go's checkdead.
#[test]
fn a_receive_with_every_sender_asleep_is_a_deadlock() {
    let test = "a_receive_with_every_sender_asleep_is_a_deadlock";
    let text = is_a_deadlock(test, || {
        runtime().block_on(async {
            let (there, back) = (chan::bounded::<u32>(0), chan::bounded::<u32>(0));
            let (rx, answer) = (there.1, back.0);
            drop(gmp::spawn(async move {
                let question = rx.recv().await.expect("asked");
                answer.send(question).await.expect("wanted");
            }));
            // It waits for the answer and has not asked.
            back.1.recv().await.expect("an answer");
            there.0.send(7).await.expect("it listens");
        });
    });
    assert_eq!(text.matches(" [chan receive]:\n").count(), 2, "{text}");
}

#[test]
fn a_timer_is_no_deadlock() {
    is_no_deadlock("a_timer_is_no_deadlock", || {
        runtime().block_on(async {
            let (tx, rx) = chan::bounded(0);
            drop(gmp::spawn(async move {
                gmp::time::sleep(QUIET).await;
                tx.send(7).await.expect("it listens");
            }));
            assert_eq!(rx.recv().await, Ok(7));
        });
    });
}

#[test]
fn a_descriptor_is_no_deadlock() {
    is_no_deadlock("a_descriptor_is_no_deadlock", || {
        let mut other = Command::new("sh");
        other.args(["-c", &format!("sleep {}; echo", QUIET.as_secs_f64())]);
        let (near, far) = Std::pair().expect("a pair");
        other.stdout(OwnedFd::from(far));
        let mut other = other.spawn().expect("a process");
        runtime().block_on(async {
            let (tx, rx) = chan::bounded(0);
            drop(gmp::spawn(async move {
                let mut stdout = UnixStream::from_std(near).expect("a socket");
                let mut line = [0; 1];
                stdout.read_exact(&mut line).await.expect("a line");
                tx.send(7).await.expect("it listens");
            }));
            assert_eq!(rx.recv().await, Ok(7));
        });
        other.wait().expect("it ends");
    });
}

#[test]
fn a_thread_is_no_deadlock() {
    is_no_deadlock("a_thread_is_no_deadlock", || {
        let (tx, rx) = chan::bounded(1);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(QUIET);
            tx.try_send(7).expect("room");
        });
        assert_eq!(runtime().block_on(rx.recv()), Ok(7));
        thread.join().expect("no panic");
    });
}

#[test]
fn a_blocking_section_is_no_deadlock() {
    is_no_deadlock("a_blocking_section_is_no_deadlock", || {
        runtime().block_on(async {
            let (tx, rx) = chan::bounded(1);
            drop(gmp::task::spawn_blocking(move || {
                std::thread::sleep(QUIET);
                tx.try_send(7).expect("room");
            }));
            assert_eq!(rx.recv().await, Ok(7));
        });
    });
}

#[test]
fn another_runtime_is_no_deadlock() {
    is_no_deadlock("another_runtime_is_no_deadlock", || {
        let other = runtime();
        let (tx, rx) = chan::bounded(1);
        drop(other.spawn(async move {
            gmp::time::sleep(QUIET).await;
            tx.try_send(7).expect("room");
        }));
        assert_eq!(runtime().block_on(rx.recv()), Ok(7));
    });
}

/// Rule R-DEAD-1. The handler ends the process here; it could have done anything.
#[test]
fn a_handler_of_a_signal_is_no_deadlock() {
    is_no_deadlock("a_handler_of_a_signal_is_no_deadlock", || {
        extern "C" fn ends(_signal: libc::c_int) {
            // SAFETY: safe in a handler.
            unsafe { libc::_exit(0) };
        }
        let handler: extern "C" fn(libc::c_int) = ends;
        // SAFETY: the handler makes one call, which may be made there.
        unsafe {
            libc::signal(libc::SIGALRM, handler as libc::sighandler_t);
            libc::alarm(1);
        }
        let (_tx, rx) = chan::bounded::<u32>(1);
        runtime().block_on(rx.recv()).expect("never");
    });
}

/// Somebody else has the only waker and keeps it: no deadlock, but told.
#[test]
fn a_silence_that_only_a_thread_can_end_is_told() {
    let test = "a_silence_that_only_a_thread_can_end_is_told";
    is_no_deadlock(test, || {
        let (stderr, told) = std::io::pipe().expect("a pipe");
        // SAFETY: both are open.
        assert!(unsafe { libc::dup2(told.as_raw_fd(), 2) } >= 0);
        let (tx, rx) = chan::bounded(1);
        let thread = std::thread::spawn(move || {
            let mut lines = BufReader::new(stderr).lines();
            let line = lines.next().expect("it is told").expect("text");
            tx.try_send(line).expect("room");
        });
        let line = runtime().block_on(async {
            // A waker that lies with the task that is joined is not outside.
            let asks = gmp::spawn(async move { rx.recv().await.expect("a line") });
            asks.await.expect("no panic")
        });
        assert_eq!(line, "quiescent: 1 wakers held outside");
        thread.join().expect("no panic");
    });
}
