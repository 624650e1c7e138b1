//! Signals, each in its own kind so that tests do not hear each other.

#[path = "support/limited.rs"]
mod limited;

use std::io::ErrorKind;

use futures::future::poll_fn;
use gmp::signal::{SignalKind, ctrl_c, unix};
use rustix::process::{Signal, getpid, kill_process};

use limited::limited;

fn on_each(test: impl AsyncFn()) {
    for procs in [1, 2] {
        limited(procs, 30, test());
    }
}

fn raise(signal: Signal) {
    kill_process(getpid(), signal).unwrap();
}

#[test]
fn every_listener_hears_a_signal() {
    on_each(async || {
        let mut first = unix(SignalKind::user_defined1()).unwrap();
        let mut second = unix(SignalKind::user_defined1()).unwrap();
        let mut other = unix(SignalKind::user_defined2()).unwrap();
        for _ in 0..100 {
            raise(Signal::USR1);
            first.recv().await.unwrap();
            poll_fn(|cx| second.poll_recv(cx)).await.unwrap();
        }
        drop(first);
        raise(Signal::USR1);
        second.recv().await.unwrap();
        assert!(futures::poll!(std::pin::pin!(other.recv())).is_pending());
    });
}

#[test]
fn a_burst_of_signals_is_at_least_one() {
    on_each(async || {
        let mut hangups = unix(SignalKind::hangup()).unwrap();
        for _ in 0..2_000 {
            raise(Signal::HUP);
        }
        hangups.recv().await.unwrap();
    });
}

#[test]
fn ctrl_c_is_heard_by_a_task() {
    on_each(async || {
        let task = gmp::spawn(async {
            let mut wait = std::pin::pin!(ctrl_c());
            assert!(futures::poll!(&mut wait).is_pending());
            raise(Signal::INT);
            wait.await
        });
        task.await.unwrap().unwrap();
    });
}

#[test]
fn what_cannot_be_caught_is_refused() {
    on_each(async || {
        for number in [-1, 0, 9, 11, 19, 100_000] {
            let error = unix(SignalKind::from_raw(number)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{number}");
        }
        assert_eq!(SignalKind::terminate().as_raw(), 15);
    });
}
