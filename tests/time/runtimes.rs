//! Timers that meet more than one runtime: moved from another one, or left behind by
//! the end of theirs.

use std::pin::Pin;
use std::sync::mpsc;
use std::task::Waker;

use gmp::runtime::{Handle, Runtime};
use gmp::time::{Instant, Sleep, Timer, after_func, sleep};

use super::{HOUR, MS, runtime};
use crate::drops::Drops;
use crate::eventually::eventually;
use crate::own_process::passed_alone;
use crate::wakers::begun;
use crate::watchdog::within;

/// A sleep of an hour in a heap of `rt`, which itself sleeps.
fn armed(rt: &Runtime) -> Pin<Box<Sleep>> {
    let arm = futures::future::lazy(|_| {
        let mut sleep = Box::pin(sleep(HOUR));
        assert!(begun(&mut sleep, Waker::noop()));
        sleep
    });
    let sleep = rt.block_on(rt.spawn(arm)).expect("no panic");
    asleep(rt.handle());
    sleep
}

fn asleep(rt: &Handle) {
    eventually("every P is idle", || rt.metrics().idle_procs == rt.procs());
}

/// An hour's call on `rt`, which itself sleeps.
fn call(rt: &Runtime) -> (Timer, mpsc::Receiver<()>) {
    let (tx, rx) = mpsc::channel();
    let timer = rt.block_on(async { after_func(HOUR, move || tx.send(()).expect("waited for")) });
    asleep(rt.handle());
    (timer, rx)
}

#[test]
fn a_task_of_another_runtime_may_move_a_sleep_forward() {
    within(60, || {
        let (theirs, ours) = (runtime(1), runtime(1));
        let mut sleep = armed(&theirs);
        let task = ours.spawn(async move {
            sleep.as_mut().reset(Instant::now() + MS);
            sleep.await;
        });
        ours.block_on(task).expect("no panic");
    });
}

#[test]
fn a_thread_of_no_runtime_may_move_a_sleep_forward() {
    within(60, || {
        let rt = runtime(1);
        let mut sleep = armed(&rt);
        sleep.as_mut().reset(Instant::now() + MS);
        futures::executor::block_on(sleep);
    });
}

#[test]
fn a_task_of_another_runtime_may_move_a_call_forward() {
    within(60, || {
        let (theirs, ours) = (runtime(1), runtime(1));
        let (timer, called) = call(&theirs);
        let task = ours.spawn(async move { timer.reset(MS) });
        assert!(ours.block_on(task).expect("no panic"));
        called.recv().expect("it is called");
    });
}

#[test]
fn a_call_belongs_to_its_own_runtime_whoever_arms_it() {
    within(60, || {
        let (theirs, ours) = (runtime(1), runtime(1));
        let (tx, called) = mpsc::channel();
        ours.block_on(async {
            let _entered = theirs.enter();
            after_func(MS, move || tx.send(Handle::current()).expect("waited for"));
        });
        drop(ours);
        let at = called.recv().expect("it is called");
        assert!(at.same_runtime(theirs.handle()));
    });
}

#[test]
fn a_sleep_outlives_the_runtime_that_it_was_armed_on() {
    within(60, || {
        let (theirs, ours) = (runtime(1), runtime(1));
        let mut sleep = armed(&theirs);
        sleep.as_mut().reset(Instant::now() + 50 * MS);
        let task = ours.spawn(sleep);
        asleep(ours.handle());
        drop(theirs);
        ours.block_on(task).expect("no panic");
    });
}

#[test]
fn a_call_that_has_not_come_ends_with_its_runtime() {
    within(60, || {
        let (drops, rt) = (Drops::new(), runtime(1));
        let token = drops.token();
        let timer = rt.block_on(async { after_func(HOUR, move || drop(token)) });
        drop(rt);
        assert_eq!(drops.count(), 1);
        assert!(!timer.stop() && !timer.reset(MS));
    });
}

#[test]
fn a_call_for_a_runtime_that_has_ended_is_dropped() {
    within(60, || {
        let (drops, rt) = (Drops::new(), runtime(1));
        let (token, handle) = (drops.token(), rt.handle().clone());
        drop(rt);
        let timer = {
            let _entered = handle.enter();
            after_func(MS, move || drop(token))
        };
        assert_eq!(drops.count(), 1);
        assert!(!timer.stop());
        let token = drops.token();
        handle.block_on(async { drop(after_func(MS, move || drop(token))) });
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn sleeps_end_under_and_after_the_end_of_the_entered_runtime() {
    within(60, || {
        for round in 0..20 {
            let rt = runtime(1);
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let handle = rt.handle().clone();
                    std::thread::spawn(move || {
                        let _entered = handle.enter();
                        for _ in 0..20 {
                            futures::executor::block_on(sleep(MS / 5));
                        }
                    })
                })
                .collect();
            std::thread::sleep(MS / 10 * round);
            drop(rt);
            threads
                .into_iter()
                .for_each(|t| t.join().expect("no panic"));
        }
    });
}

#[test]
fn timers_that_are_left_keep_no_runtime() {
    const NAME: &str = "runtimes::timers_that_are_left_keep_no_runtime";
    if passed_alone(NAME) {
        return;
    }
    let open = || std::fs::read_dir("/proc/self/fd").expect("Linux").count();
    let (before, mut kept) = (open(), Vec::new());
    for _ in 0..10 {
        let rt = runtime(1);
        kept.push(armed(&rt));
        drop(call(&rt));
    }
    eventually("every poller is closed", || open() <= before);
}
