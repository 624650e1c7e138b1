//! What a child of fork finds: a clear text instead of a hang, its parent's
//! sockets and timers left alone, and a runtime of its own if it builds one.
//!
//! Each story runs in a process of its own, since a child has one thread of the
//! process that it comes from.

#![expect(unsafe_code, reason = "forks")]

#[path = "support/child.rs"]
mod child;
#[path = "support/forked.rs"]
mod forked;
#[path = "support/own_process.rs"]
mod own_process;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::future::pending;
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use gmp::net::UnixStream;
use gmp::profiler::{SigQuit, on_sigquit};
use gmp::runtime::{Builder, Handle, Runtime};
use gmp::signal::{SignalKind, unix};
use gmp::time::{Instant, after_func, sleep};

use forked::{Forked, fork};
use own_process::passed_alone;

const CURE: &str = "build a Runtime in the child";

impl Forked {
    #[track_caller]
    fn panicked_with(&self, text: &str) {
        assert_eq!(self.status, 101, "the child says: {}", self.said);
        assert!(self.said.contains(text), "the child says: {}", self.said);
    }
}

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Runs `story` in a process of its own; `name` is the test's.
#[track_caller]
fn alone(name: &str, story: impl FnOnce() + Send + 'static) {
    if !passed_alone(name) {
        watchdog::within(120, story);
    }
}

/// A call that needs the runtime.
type Use = fn(&Runtime);

/// Keeps every P busy and the queues in motion, so that a child is forked in the
/// middle of something.
fn traffic(rt: &Runtime) {
    for _ in 0..8 {
        rt.spawn(async {
            loop {
                gmp::spawn(async {}).await.expect("no panic");
                gmp::task::yield_now().await;
                sleep(Duration::from_micros(20)).await;
            }
        });
    }
}

/// What a service does: tasks on several Ps, a timer, a socket, a poll that blocks.
fn is_whole(rt: &Runtime) {
    let sum: u64 = rt.block_on(async {
        let tasks = (0..100).map(|i| {
            gmp::spawn(async move {
                sleep(Duration::from_micros(i)).await;
                i
            })
        });
        let done = futures::future::join_all(tasks).await;
        done.into_iter().map(|done| done.expect("no panic")).sum()
    });
    assert_eq!(sum, 4950);
    let echoed = rt.block_on(async {
        let (mut near, mut far) = UnixStream::pair().expect("a pair");
        let echo = gmp::spawn(async move {
            let mut byte = [0];
            far.read_exact(&mut byte).await.expect("a byte");
            far.write_all(&byte).await.expect("written");
        });
        near.write_all(&[7]).await.expect("written");
        let mut byte = [0];
        near.read_exact(&mut byte).await.expect("a byte");
        echo.await.expect("no panic");
        byte[0]
    });
    assert_eq!(echoed, 7);
    // More polls that hold their thread than there are Ps.
    let hogs = rt.handle().procs() + 1;
    let release = Arc::new(AtomicBool::new(false));
    for _ in 0..hogs {
        let release = release.clone();
        rt.spawn(async move {
            while !release.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }
    let beside = rt.spawn(async { 3 });
    assert_eq!(rt.block_on(beside).expect("no panic"), 3);
    release.store(true, Ordering::SeqCst);
}

// The parent's runtime, in the child.

#[test]
fn each_use_of_an_inherited_runtime_names_the_cure() {
    alone("each_use_of_an_inherited_runtime_names_the_cure", || {
        let rt = runtime(2);
        traffic(&rt);
        let uses: [(&str, Use); 9] = [
            ("spawn", |rt| drop(rt.spawn(async {}))),
            ("block_on", |rt| rt.block_on(async {})),
            ("spawn_blocking", |rt| drop(rt.spawn_blocking(|| ()))),
            ("spawn_named", |rt| {
                rt.handle().spawn_named("n", async {});
            }),
            ("gmp::spawn", |rt| {
                let _guard = rt.enter();
                gmp::spawn(async {});
            }),
            ("gmp::block_on", |rt| {
                let _guard = rt.enter();
                gmp::block_on(async {});
            }),
            ("set_procs", |rt| {
                rt.handle().set_procs(3);
            }),
            ("metrics", |rt| drop(rt.handle().metrics())),
            ("a timer", |rt| {
                let _guard = rt.enter();
                let mut sleep = sleep(Duration::from_secs(1));
                let _ = Pin::new(&mut sleep).poll(&mut Context::from_waker(Waker::noop()));
            }),
        ];
        for round in 0..5 {
            for (what, call) in &uses {
                let child = fork(|| call(&rt));
                assert!(child.said.contains(CURE), "{what}, {round}: {child:?}");
                child.panicked_with(CURE);
            }
        }
        is_whole(&rt);
    });
}

#[test]
fn a_socket_on_an_inherited_runtime_is_an_error() {
    alone("a_socket_on_an_inherited_runtime_is_an_error", || {
        let rt = runtime(1);
        let child = fork(|| {
            let _guard = rt.enter();
            let error = UnixStream::pair().expect_err("no reactor here");
            assert_eq!(error.kind(), ErrorKind::Other);
            assert!(error.to_string().contains("a child of fork"), "{error}");
        });
        child.ended_well();
    });
}

#[test]
fn what_the_child_drops_stays_the_parents() {
    alone("what_the_child_drops_stays_the_parents", || {
        let rt = runtime(2);
        traffic(&rt);
        let (near, mut far) = {
            let _guard = rt.enter();
            UnixStream::pair().expect("a pair")
        };
        let parked = rt.spawn(pending::<()>());
        let aborter = parked.abort_handle();
        let mut everything = Some((rt, near, parked));
        for _ in 0..10 {
            let child = fork(|| {
                aborter.abort();
                assert!(!aborter.is_finished());
                drop(everything.take());
            });
            child.ended_well();
        }
        let (rt, mut near, parked) = everything.expect("the children had copies");
        // The children closed their copies of the descriptor; its registration is
        // the parent's, whose reader hears of the next byte.
        let heard = rt.block_on(async {
            let reader = async {
                let mut byte = [0];
                near.read_exact(&mut byte).await.expect("a byte");
                byte[0]
            };
            let writer = async {
                sleep(Duration::from_millis(20)).await; // the reader waits by now
                far.write_all(&[9]).await.expect("written");
            };
            futures::join!(reader, writer).0
        });
        assert_eq!(heard, 9);
        assert!(!parked.is_finished());
    });
}

/// Each timer has a lock, which a thread of the parent may hold at the fork.
#[test]
fn timers_in_motion_are_dropped_in_the_child() {
    alone("timers_in_motion_are_dropped_in_the_child", || {
        let rt = runtime(1);
        let _guard = rt.enter();
        let far_away = Duration::from_secs(3600);
        // One that another thread moves all the time.
        let call = after_func(far_away, || unreachable!("never"));
        let (moved, stop) = (call.clone(), Arc::new(AtomicBool::new(false)));
        let ends = stop.clone();
        let mover = std::thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                assert!(moved.reset(far_away));
            }
        });
        for _ in 0..30 {
            // And those of which one fires at the moment.
            let mut naps: Vec<_> = (0..1000)
                .map(|n| sleep(Duration::from_micros(2 * n)))
                .collect();
            let (near, _far) = UnixStream::pair().expect("a pair");
            near.set_deadline(Some(Instant::now() + far_away));
            let mut near = Some(near);
            rt.block_on(async {
                for nap in &mut naps {
                    let _ = futures::poll!(nap);
                }
            });
            let child = fork(|| {
                drop(std::mem::take(&mut naps));
                let near = near.take().expect("a copy");
                near.set_deadline(None);
                drop(near);
                assert!(!call.stop() && !call.reset(Duration::ZERO));
            });
            child.ended_well();
        }
        stop.store(true, Ordering::SeqCst);
        mover.join().expect("no panic");
        assert!(call.stop(), "the parent's was left alone");
    });
}

#[test]
fn a_wake_in_the_child_runs_nothing() {
    alone("a_wake_in_the_child_runs_nothing", || {
        let rt = runtime(1);
        let polls = Arc::new(AtomicU32::new(0));
        let (tx, rx) = gmp::chan::unbounded();
        let counted = polls.clone();
        let task = rt.spawn(async move {
            while let Ok(step) = rx.recv().await {
                counted.fetch_add(step, Ordering::SeqCst);
            }
        });
        rt.block_on(sleep(Duration::from_millis(20))); // it waits by now
        let child = fork(|| {
            tx.try_send(100).expect("there is room");
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(polls.load(Ordering::SeqCst), 0);
        });
        child.ended_well();
        tx.try_send(1).expect("there is room");
        drop(tx);
        rt.block_on(task).expect("no panic");
        assert_eq!(polls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn what_the_child_waits_for_from_its_parent_is_told() {
    alone("what_the_child_waits_for_from_its_parent_is_told", || {
        let rt = runtime(1);
        let (near, far) = {
            let _guard = rt.enter();
            UnixStream::pair().expect("a pair")
        };
        let (mut near, mut far) = (Some(near), Some(far));
        let mut parked = Some(rt.spawn(pending::<()>()));
        let mut nap = sleep(Duration::from_millis(300));
        rt.block_on(async { assert!(futures::poll!(&mut nap).is_pending()) });
        let mut nap = Some(nap);

        let child = fork(|| {
            let task = parked.take().expect("a copy");
            let _ = runtime(1).block_on(task);
        });
        child.panicked_with(CURE);
        let child = fork(|| {
            let mut near = near.take().expect("a copy");
            let mut byte = [0];
            let read = runtime(1).block_on(near.read(&mut byte));
            let error = read.expect_err("nobody would tell");
            assert!(error.to_string().contains("a child of fork"), "{error}");
        });
        child.ended_well();
        // The descriptor itself is the child's as well, for a runtime of its own.
        let child = fork(|| {
            let (near, far) = (near.take(), far.take());
            let near = near.expect("a copy").into_std().expect("open");
            let far = far.expect("a copy").into_std().expect("open");
            runtime(1).block_on(async {
                let mut near = UnixStream::from_std(near).expect("registered");
                let mut far = UnixStream::from_std(far).expect("registered");
                let write = async {
                    sleep(Duration::from_millis(20)).await; // the reader waits by now
                    far.write_all(&[1]).await.expect("written");
                };
                let mut byte = [0];
                futures::join!(near.read_exact(&mut byte), write)
                    .0
                    .expect("a byte");
            });
        });
        child.ended_well();
        // A sleep knows its moment, so it goes on in the child's runtime.
        let child = fork(|| {
            let nap = nap.take().expect("a copy");
            let until = nap.deadline();
            runtime(1).block_on(nap);
            assert!(Instant::now() >= until);
        });
        child.ended_well();
        rt.block_on(nap.take().expect("the child had a copy"));
    });
}

// A runtime of the child's.

#[test]
fn a_runtime_that_the_child_builds_is_whole() {
    alone("a_runtime_that_the_child_builds_is_whole", || {
        let rt = runtime(2);
        traffic(&rt);
        for _ in 0..5 {
            let child = fork(|| {
                let own = runtime(2);
                is_whole(&own);
                // A generation further.
                let grandchild = fork(|| {
                    is_whole(&runtime(1));
                    own.spawn(async {});
                });
                grandchild.panicked_with(CURE);
                is_whole(&own);
            });
            child.ended_well();
        }
        is_whole(&rt);
    });
}

#[test]
fn the_global_runtime_starts_anew() {
    alone("the_global_runtime_starts_anew", || {
        let before = Handle::current();
        assert_eq!(gmp::block_on(gmp::spawn(async { 1 })).expect("no panic"), 1);
        let child = fork(|| {
            assert!(!Handle::current().same_runtime(&before));
            assert_eq!(gmp::block_on(gmp::spawn(async { 2 })).expect("no panic"), 2);
            gmp::block_on(sleep(Duration::from_millis(1)));
            // The parent's is known by its handle still, and tells the cure.
            before.spawn(async {});
        });
        child.panicked_with(CURE);
        assert_eq!(gmp::block_on(gmp::spawn(async { 3 })).expect("no panic"), 3);
    });
}

// Forked in a task.

#[test]
fn a_child_that_was_forked_in_a_task_must_not_return_from_it() {
    alone(
        "a_child_that_was_forked_in_a_task_must_not_return_from_it",
        || {
            let rt = runtime(2);
            let ran = Arc::new(AtomicU32::new(0));
            let forks = || {
                // SAFETY: the child ends below, at the end of its poll.
                let pid = unsafe { libc::fork() };
                assert!(pid >= 0, "no child");
                pid
            };
            let worker = rt.block_on(rt.spawn(async move { forks() }));
            let root = rt.block_on(async move { forks() });
            // In both processes from here, if the child came as far.
            ran.fetch_add(1, Ordering::SeqCst);
            for pid in [worker.expect("the parent's"), root] {
                assert_ne!(pid, 0, "a child went on");
                assert_eq!(forked::reap(pid), -libc::SIGABRT);
            }
            is_whole(&rt);
        },
    );
}

#[test]
fn a_child_that_was_forked_in_a_task_may_run_and_exit() {
    alone("a_child_that_was_forked_in_a_task_may_run_and_exit", || {
        let rt = runtime(2);
        let in_a_task = || {
            fork(|| {
                is_whole(&runtime(2));
                gmp::spawn(async {});
            })
        };
        let child = rt.block_on(rt.spawn(async move { in_a_task() }));
        child.expect("no panic").panicked_with(CURE);
        rt.block_on(async { in_a_task() }).panicked_with(CURE);
        is_whole(&rt);
    });
}

// Those to whom fork is a means.

#[test]
fn a_fork_before_exec_is_none_of_this() {
    alone("a_fork_before_exec_is_none_of_this", || {
        let rt = runtime(2);
        traffic(&rt);
        rt.block_on(async {
            for _ in 0..20 {
                let mut spawned = Command::new("true");
                assert!(spawned.status().expect("it runs").success());
                let mut forked = Command::new("true");
                // SAFETY: does nothing, but makes std fork.
                unsafe { forked.pre_exec(|| Ok(())) };
                assert!(forked.status().expect("it runs").success());
                let mut ours = gmp::process::Command::new("true");
                assert!(ours.status().await.expect("it runs").success());
            }
        });
        is_whole(&rt);
    });
}

#[test]
fn a_signal_to_the_child_is_not_the_parents() {
    alone("a_signal_to_the_child_is_not_the_parents", || {
        let rt = runtime(1);
        let mut signals = {
            let _guard = rt.enter();
            unix(SignalKind::user_defined1()).expect("a listener")
        };
        // SAFETY: plain call.
        let raise = || unsafe { libc::raise(libc::SIGUSR1) };
        let child = fork(|| {
            raise();
        });
        child.ended_well();
        let heard = rt.block_on(async {
            let first = gmp::time::timeout(Duration::from_millis(100), signals.recv()).await;
            let nothing = first.is_err();
            raise();
            signals.recv().await;
            nothing
        });
        assert!(heard, "the parent heard the child's signal");
    });
}

#[test]
fn sigquit_in_the_child_is_not_the_parents() {
    alone("sigquit_in_the_child_is_not_the_parents", || {
        let rt = runtime(1);
        // The parent would dump its tasks and exit with status 2.
        on_sigquit(SigQuit::Exit).expect("a handler");
        // SAFETY: plain call.
        let raise = || unsafe { libc::raise(libc::SIGQUIT) };
        let child = fork(|| {
            raise();
        });
        assert_eq!(child.status, -libc::SIGQUIT, "{child:?}");
        // A child that asks has a dump of its own, and goes on.
        let child = fork(|| {
            let (mut told, tell) = std::io::pipe().expect("a pipe");
            // SAFETY: both are open.
            assert_eq!(unsafe { libc::dup2(tell.as_raw_fd(), 2) }, 2);
            on_sigquit(SigQuit::Dump).expect("a handler");
            raise();
            let (mut text, wanted) = (Vec::new(), b"SIGQUIT: quit\n");
            while text.len() < wanted.len() {
                let mut bytes = [0; 256];
                let n = told.read(&mut bytes).expect("open");
                text.extend_from_slice(&bytes[..n]);
            }
            assert!(text.starts_with(wanted));
        });
        child.ended_well();
        is_whole(&rt);
    });
}
