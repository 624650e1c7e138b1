//! One turn of a task: `execute` polls it and puts it where the poll's end says
//! (R-SCHED-4, R-G-9…12).
//!
//! This is the way of every wake, so the usual case is all that is in line: a task
//! without marks that is polled and waits. What is rare has a function of its own.

#![expect(
    unsafe_code,
    reason = "polls tasks: turns the right to run one into a call of its vtable"
)]

use std::ptr::NonNull;
use std::task::Context;

use crate::aside;
use crate::fork;
use crate::g::refs::Released;
use crate::g::state::{BeginPoll, EndPoll};
use crate::g::{Header, ReadyG, join, waker};
use crate::hooks;
use crate::latency;
use crate::m::{M, MShared, YieldAs, wake_p};
use crate::preempt;
use crate::prelude;
use crate::probe::{self, Leaf};
use crate::ready::{self, runqput};
use crate::sched::Sched;
use crate::stacks;
use crate::sync::{Ordering, lock};

/// Polls a task once and puts it where the poll's end says (R-SCHED-4). A task
/// without a P that held one up is polled until it waits: nobody is behind it.
pub(crate) fn execute(m: &M, gp: ReadyG, inherit: bool) {
    if let Some(gp) = poll_once(m, gp, inherit)
        && let Some(gp) = aside::next(m, false, Some(gp))
    {
        return aside::execute(m, gp);
    }
    // After the task is listed or queued: whoever looks for it finds it somewhere.
    m.shared.goid.store(0, Ordering::Release); // ord: publishes where it went
}

pub(crate) fn poll_once(m: &M, gp: ReadyG, inherit: bool) -> Option<ReadyG> {
    let (sched, shared) = (&*m.sched, &*m.shared);
    let task = gp.into_ptr();
    // SAFETY: the right to run the task keeps it alive until it is dead.
    let header = unsafe { task.as_ref() };
    // The link before the state: a running task always has an M.
    m.curg.set(task.as_ptr());
    let word = sched.word();
    probe::begin_poll(m, header, word, (&raw const task).cast());
    let cancel = match header.state.begin_poll() {
        BeginPoll::Poll => word.is_closing() && ends_with_it(sched, header),
        BeginPoll::Cancel => true,
        BeginPoll::Deferred => {
            m.curg.set(std::ptr::null());
            return None;
        }
    };
    m.inherited.set(inherit);
    let aside = m.p().is_none();
    if let Some(pp) = m.p() {
        if !inherit {
            pp.tick();
        }
        pp.stats.polls.add(1);
        preempt::arm(m, shared);
    } else {
        prelude::before_poll();
        preempt::arm_aside(m);
    }
    m.yield_as.set(YieldAs::No);
    if probe::RECORDS {
        m.leaf.set(Leaf::NONE);
    }
    let gave_way = !header.park.is_plain() && begin_marked(m, header);
    m.progress.begin(gave_way);
    shared.goid.store(header.goid, Ordering::Relaxed); // ord: for people
    let site = std::ptr::from_ref(header.spawn_loc).cast_mut();
    shared.spawn_loc.store(site, Ordering::Relaxed); // ord: for people
    let done = in_poll(sched, m, shared, || {
        if cancel {
            return cancel_task(sched, task);
        }
        let waker = waker::borrowed(task);
        let mut cx = Context::from_waker(&waker);
        if m.hooked && !header.is_root() {
            // SAFETY: edge 2 was taken by this M.
            let poll = || unsafe { (header.vtable.poll)(task, &mut cx) };
            return hooks::around(m, header.goid, poll);
        }
        // SAFETY: edge 2 was taken by this M.
        unsafe { (header.vtable.poll)(task, &mut cx) }
    });
    let alone = m.p().is_none();
    if alone {
        aside::note_manner(m, header, aside);
    }
    if done {
        finish(m, task);
        return None;
    }
    if gave_way {
        header.park.set_gave_way(false);
    }
    let end = match m.yield_as.get() {
        YieldAs::No => end_wait(sched, m, task, header),
        how => end_yield(m, task, header, how),
    };
    if end == EndPoll::Parked {
        m.curg.set(std::ptr::null());
        return None;
    }
    end_otherwise(m, task, end, alone)
}

/// The poll begins of a task that is not plain. Returns whether its last one gave way.
#[cold]
fn begin_marked(m: &M, header: &Header) -> bool {
    if header.park.labels() != 0 || header.park.selects() {
        // It shows those of its last wait.
        probe::before_loss(m, header);
        header.park.set_labels(header.own_labels());
        header.park.set_selects(false);
    }
    latency::note(m, header);
    header.park.gave_way()
}

/// By whoever has begun the poll of the task: drops its future instead.
#[cold]
fn cancel_task(sched: &Sched, task: NonNull<Header>) -> bool {
    sched.cancelled.add_shared(1);
    // SAFETY: the caller has won edge 2, so the task is not dead.
    let header = unsafe { task.as_ref() };
    // SAFETY: edge 2 was taken by this M: the word says Running.
    unsafe { (header.vtable.cancel)(task) };
    true
}

/// After a poll that returned Pending, if the task does not simply wait.
#[inline(never)]
fn end_otherwise(m: &M, task: NonNull<Header>, end: EndPoll, alone: bool) -> Option<ReadyG> {
    if end == EndPoll::Cancel {
        in_poll(&m.sched, m, &m.shared, || cancel_task(&m.sched, task));
        finish(m, task);
        return None;
    }
    m.curg.set(std::ptr::null());
    if end == EndPoll::Requeue {
        // SAFETY: this M won edge 4.
        let gp = unsafe { ReadyG::from_ptr(task) };
        if alone && m.was_aside.get() && gp.header().home().is_none() {
            return Some(gp);
        }
        requeue(m, gp);
    }
    None
}

/// Whether a task ends with its runtime: a root only if a panic shut that down.
pub(crate) fn ends_with_it(sched: &Sched, header: &Header) -> bool {
    !header.is_root() || sched.fatal.get().is_some()
}

/// Runs code of the user: in here the P may be taken away.
#[inline]
fn in_poll<R>(sched: &Sched, m: &M, shared: &MShared, f: impl FnOnce() -> R) -> R {
    shared.polltick.begin_poll();
    shared.fence.begin_poll();
    let result = f();
    if sched.is_elsewhere() {
        fork::returned();
    }
    if !shared.fence.end_poll() {
        m.forget_p();
    }
    result
}

/// The end of a poll whose task waits.
#[inline]
fn end_wait(sched: &Sched, m: &M, task: NonNull<Header>, header: &Header) -> EndPoll {
    list_and_look(m, task, header);
    let leaf = m.leaf.get();
    probe::before_park(m, header, leaf.extras);
    if !header.park.write(leaf, sched.coarse_ms()) {
        header.park.settle(m, header, leaf.extras);
    }
    header.state.end_poll()
}

/// The end of a poll whose task runs again.
fn end_yield(m: &M, task: NonNull<Header>, header: &Header, how: YieldAs) -> EndPoll {
    probe::before_requeue(m, header);
    if how == YieldAs::Preempt {
        header.park.set_gave_way(true);
        // A suspender may want it, who looks at the list.
        list_and_look(m, task, header);
    }
    header.state.yield_running()
}

#[inline]
fn list_and_look(m: &M, task: NonNull<Header>, header: &Header) {
    if list(m, task) && m.sched.is_closing() && ends_with_it(&m.sched, header) {
        // Shutdown may have looked at this shard before we were listed.
        let _ = header.state.abort();
    }
}

/// Lists a task that this M has the right to run, if it is not listed yet.
#[inline]
pub(crate) fn list(m: &M, task: NonNull<Header>) -> bool {
    // SAFETY: the right to run it keeps it alive.
    let header = unsafe { task.as_ref() };
    // ord: written only by who has the right to run it
    let new = header.slot.load(Ordering::Relaxed) == 0;
    if new {
        list_new(m, task, header);
    }
    new
}

#[inline(never)]
fn list_new(m: &M, task: NonNull<Header>, header: &Header) {
    // The walker may be past its place already.
    probe::before_loss(m, header);
    // SAFETY: this M has the right to run the task; finish removes it.
    unsafe { m.sched.registry.insert(task, m.shared.id) };
}

/// Queues a task that is runnable again after its poll (R-G-9…11, R-PREEMPT-3).
fn requeue(m: &M, gp: ReadyG) {
    let sched = &m.sched;
    let at_home = gp
        .header()
        .home()
        .is_some_and(|home| home.id == m.shared.id);
    if at_home && m.yield_as.get() == YieldAs::No {
        lock(&m.shared.inbox).tasks.push_back(gp);
        return;
    }
    latency::sample_here(m, &gp);
    let announce = match (m.yield_as.get(), m.p()) {
        (YieldAs::Goyield, Some(pp)) => {
            runqput(sched, pp, gp, false);
            false
        }
        (YieldAs::No, Some(pp)) => runqput(sched, pp, gp, true),
        (YieldAs::Gosched, Some(pp)) if !sched.go117() && sched.procs() > 1 => {
            return ready::give_way(sched, pp, gp);
        }
        (how, _) => {
            if how == YieldAs::Preempt {
                sched.preemptions.add_shared(1);
                if let Some(pp) = m.p() {
                    pp.preempt.store(false, Ordering::Relaxed); // ord: owner's answer
                }
            }
            sched.injector.push(gp);
            // Go 1.17 lets a yielder wait though Ps are idle (L-6).
            !sched.go117() || m.p().is_none()
        }
    };
    if announce {
        wake_p(sched);
    }
}

/// Edge 5 and what follows it (R-G-12).
fn finish(m: &M, task: NonNull<Header>) {
    // SAFETY: alive until its life is dropped below.
    let header = unsafe { task.as_ref() };
    let goid = header.goid;
    probe::before_loss(m, header);
    m.sched.registry.remove(header);
    stacks::end(header);
    let root = header.is_root();
    in_poll(&m.sched, m, &m.shared, || {
        // SAFETY: this M ran the task and its output is stored.
        unsafe { join::complete(task) };
        if !root && let Some(hook) = &m.sched.hooks.task_terminate {
            probe::contain(|| hook(goid));
        }
    });
    m.curg.set(std::ptr::null());
    if !root {
        ready::count_end(&m.sched, Some(m));
    }
    // SAFETY: the life is this M's to drop; a borrowed count of handles keeps
    // the memory for the free in TaskRef::drop.
    let last = header.refs.drop_alive() == Released::Free;
    if last {
        // SAFETY: the release said so.
        unsafe { (header.vtable.dealloc)(task) };
    }
}
