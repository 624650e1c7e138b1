//! Signals, each in its own kind so that tests do not hear each other.

#[path = "support/child.rs"]
mod child;
#[path = "support/limited.rs"]
mod limited;

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use futures::StreamExt;
use futures::future::poll_fn;
use gmp::runtime::Builder;
use gmp::signal::{SignalKind, ctrl_c, shutdown, unix};
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

/// To this thread: the handler has run when this returns.
#[expect(unsafe_code, reason = "the system's raise")]
fn raise_here(signal: Signal) {
    // SAFETY: each test has installed a handler for what it raises.
    assert_eq!(unsafe { libc::raise(signal.as_raw()) }, 0);
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

/// In one test, for they listen to the same signals.
#[test]
fn ctrl_c_and_requests_to_end_are_heard_by_a_task() {
    on_each(async || {
        for _ in 0..3 {
            let task = gmp::spawn(async {
                let mut wait = std::pin::pin!(ctrl_c());
                assert!(futures::poll!(&mut wait).is_pending());
                raise(Signal::INT);
                wait.await
            });
            task.await.unwrap().unwrap();
        }
        for (signal, kind) in [
            (Signal::TERM, SignalKind::terminate()),
            (Signal::INT, SignalKind::interrupt()),
            (Signal::TERM, SignalKind::terminate()),
        ] {
            let task = gmp::spawn(async move {
                let mut wait = std::pin::pin!(shutdown());
                assert!(futures::poll!(&mut wait).is_pending());
                raise(signal);
                wait.await
            });
            assert_eq!(task.await.unwrap().unwrap(), kind);
        }
    });
}

/// What a process does that finishes its work and never comes to an end.
fn drains_for_ever(listens: bool) {
    gmp::block_on(async {
        let mut stop = std::pin::pin!(shutdown());
        assert!(futures::poll!(&mut stop).is_pending());
        raise(Signal::TERM);
        assert_eq!(stop.await.unwrap(), SignalKind::terminate());
        let mut listener = listens.then(|| unix(SignalKind::interrupt()).unwrap());
        // Until one comes that is not the same any more.
        for heard in 0.. {
            // As far as it would go without a listener, and further.
            if listens && heard == 400 {
                return;
            }
            raise(Signal::INT);
            if let Some(listener) = &mut listener {
                listener.recv().await.unwrap();
            }
            gmp::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_second_request_to_end_ends_the_process_unless_somebody_listens() {
    const NAME: &str = "a_second_request_to_end_ends_the_process_unless_somebody_listens";
    if child::is_child(NAME) {
        return drains_for_ever(std::env::var("LISTENS").is_ok());
    }
    let killed = child::run(NAME, &[]).status;
    assert_eq!(killed.signal(), Some(libc::SIGINT), "{killed}");
    let ended = child::run(NAME, &[("LISTENS", "1")]).status;
    assert!(ended.success(), "{ended}");
}

#[test]
fn a_listener_hears_what_comes_after_it_was_made() {
    on_each(async || {
        let listen = || unix(SignalKind::from_raw(libc::SIGIO)).unwrap();
        drop(listen());
        // Nobody listens, and the process stands it.
        raise_here(Signal::IO);
        let mut one = listen();
        assert!(futures::poll!(one.next()).is_pending());
        for _ in 0..10 {
            let mut other = listen();
            raise(Signal::IO);
            assert_eq!(one.next().await, Some(()));
            assert_eq!(other.next().await, Some(()));
        }
    });
}

#[test]
fn a_listener_goes_to_another_task_with_what_it_has_heard() {
    on_each(async || {
        let mut alarms = unix(SignalKind::alarm()).unwrap();
        raise(Signal::ALARM);
        let task = gmp::spawn(async move {
            alarms.recv().await.unwrap();
            alarms
        });
        let mut alarms = task.await.unwrap();
        let waits = gmp::spawn(async move { alarms.recv().await });
        while !waits.is_finished() {
            raise(Signal::ALARM);
            gmp::task::yield_now().await;
        }
        assert_eq!(waits.await.unwrap(), Some(()));
    });
}

#[test]
fn each_of_two_runtimes_hears_it_and_the_end_of_one_is_told() {
    // A real-time signal, which has no name.
    let number = libc::SIGRTMIN() + 3;
    let raise = || {
        let kill = format!("kill -{number} {}", std::process::id());
        let mut shell = Command::new("sh");
        assert!(shell.args(["-c", &kill]).status().unwrap().success());
    };
    let [one, other] = [1, 2].map(|procs| Builder::new().procs(procs).build().unwrap());
    let listen = async || unix(SignalKind::from_raw(number)).unwrap();
    let (mut first, mut second) = (one.block_on(listen()), other.block_on(listen()));
    for _ in 0..3 {
        raise();
        // Each on the other's runtime, too.
        assert_eq!(other.block_on(first.recv()), Some(()));
        assert_eq!(one.block_on(second.recv()), Some(()));
    }
    drop(one);
    raise();
    assert_eq!(other.block_on(second.recv()), Some(()));
    assert_eq!(other.block_on(first.recv()), None);
}

#[test]
fn a_listener_that_goes_leaves_the_others() {
    on_each(async || {
        let [first, mut second, third] =
            [(); 3].map(|()| unix(SignalKind::window_change()).unwrap());
        drop(first);
        raise(Signal::WINCH);
        assert_eq!(second.recv().await, Some(()));
        drop((second, third));
        // The last has gone: the next one begins anew.
        let mut late = unix(SignalKind::window_change()).unwrap();
        raise(Signal::WINCH);
        assert_eq!(late.recv().await, Some(()));
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
        assert_eq!(SignalKind::terminate().as_raw_value(), 15);
    });
}
