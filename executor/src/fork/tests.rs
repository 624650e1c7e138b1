//! A child of fork while its parent's diagnostics are in the middle of something.

#[path = "../../../tests/support/child.rs"]
mod child;
#[path = "../../../tests/support/forked.rs"]
mod forked;
#[path = "../../../tests/support/own_process.rs"]
mod own_process;

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::{Poll, Waker};

use super::Process;
use crate::g::prof::Epoch;
use crate::held::{Holder, Lot};
use crate::sync::lock;
use crate::{Builder, Runtime, probe, snapshot, stacks};

/// A task that waits for ever, and its only waker.
fn waiting(rt: &Runtime) -> Waker {
    let (tx, rx) = mpsc::channel();
    drop(rt.spawn(poll_fn(move |cx| {
        tx.send(cx.waker().clone()).expect("awaited");
        Poll::<()>::Pending
    })));
    rx.recv().expect("it is polled")
}

fn only_task(rt: &Runtime) -> snapshot::TaskInfo {
    loop {
        let mut tasks = snapshot::tasks(rt.handle());
        assert_eq!(tasks.len(), 1);
        if tasks[0].status == snapshot::Status::Waiting {
            return tasks.remove(0);
        }
        std::thread::yield_now();
    }
}

/// Whoever holds one of the process's locks at the fork is not there to give it back.
#[test]
fn a_child_has_locks_of_its_own() {
    if own_process::passed_alone("fork::tests::a_child_has_locks_of_its_own") {
        return;
    }
    let rt = Builder::new().procs(1).build().expect("a runtime");
    let mut waker = Some(waiting(&rt));
    only_task(&rt);
    let mut lot = Some(Lot::new(Holder::NOBODY));
    let process = Process::here();
    let held = (
        lock(&process.last_epoch),
        process.records.each_ref().map(|buffer| lock(buffer)),
        lock(&process.lots),
        lock(&process.droppers),
        process.stacks.lock_all(),
    );
    // A snapshot is open, and wakes and waits record for it.
    let epoch = Epoch::next(None);
    probe::publish(rt.handle().sched(), epoch);
    let ended = forked::fork(|| {
        drop((waker.clone(), waker.take()));
        let own = Builder::new().procs(1).build().expect("a runtime");
        assert!(probe::is_quiet(), "the epoch is its parent's");
        let first = Lot::new(Holder::NOBODY);
        drop(lot.take());
        let second = Lot::new(Holder::NOBODY);
        assert_ne!(first.number() as u32, second.number() as u32);
        let last = waiting(&own);
        assert!(!only_task(&own).forgotten);
        assert_ne!(*lock(&Process::here().last_epoch), Some(epoch));
        own.handle().sched().registry.for_each(|header, _| {
            stacks::keep(header, 1);
            assert!(stacks::of(header).is_none(), "no stack has a number yet");
        });
        drop(last);
        let task = only_task(&own);
        assert!(task.forgotten);
        assert_eq!(task.dropped_by.is_some(), snapshot::NAMES_DROPPERS);
    });
    drop(held);
    probe::close(rt.handle().sched());
    ended.ended_well();
}
