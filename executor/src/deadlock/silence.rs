//! Whether nothing is left in the process that could ever wake anybody: Go's
//! `checkdead`, for a process whose threads are all known.
//!
//! Nothing is left if the runtime has no task that runs or could, no timer and no
//! registered descriptor; every thread of the process is asleep in that runtime or is
//! known to wake nobody, which leaves no room for a second runtime; and no handler of
//! a signal is installed that is not known. Then whoever holds a waker, a handle or a
//! guard is asleep with it. A thread of anybody else's, one that sleeps for ever
//! included, is the end of the proof.
//!
//! The threads are looked at one after the other. But only what runs can make
//! something run, so two looks at which all were at rest, with no poll in between,
//! are one moment.

#[cfg(target_os = "linux")]
use std::fs;

use crate::fork::Process;
use crate::g::forgotten::rests;
use crate::preempt::thread_id;
use crate::sched::Sched;
use crate::sync::{Ordering, lock};

/// What is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Silence {
    /// It is for ever.
    Final,
    /// Nothing of the runtime's ends it: only a thread or a handler of a signal that is
    /// not known, if it has a waker. There had been so many polls.
    Outside(u64),
    /// Something may happen.
    Broken,
    /// Nothing may happen as soon as some threads have gone to sleep or have ended.
    Unsettled,
}

/// This thread, as long as it lives, will never wake or abort a task, nor let
/// anybody else do so: a proof of deadlock need not mind it. For the threads of
/// diagnostics.
pub fn bystander() {
    lock(&Process::here().bystanders).push(thread_id());
}

/// Called by sysmon's thread.
pub(super) fn listen(sched: &Sched) -> Silence {
    if sched.reactor.sources() > 0 {
        return Silence::Broken;
    }
    // A timer that was cancelled stays until its time.
    if has_timers(sched) {
        return Silence::Unsettled;
    }
    let Some(polls) = polls_at_rest(sched) else {
        return Silence::Unsettled;
    };
    let known = handlers_are_known() && threads_are_known(sched);
    let mut waits = true;
    sched
        .registry
        .for_each(|header, _| waits &= rests(&header.state));
    if !waits || has_timers(sched) || sched.reactor.sources() > 0 {
        return Silence::Unsettled;
    }
    match polls_at_rest(sched) == Some(polls) {
        true if known => Silence::Final,
        true => Silence::Outside(polls),
        false => Silence::Unsettled,
    }
}

fn has_timers(sched: &Sched) -> bool {
    sched.all_ps().any(|pp| pp.timers.next() != 0)
}

/// The polls that have been made, if no M makes one or is about to.
fn polls_at_rest(sched: &Sched) -> Option<u64> {
    let guard = sched.lock();
    let parked: Vec<u32> = guard.inner.midle.iter().map(|mp| mp.id).collect();
    let idle = guard.idle_ps() == sched.procs() as usize;
    drop(guard);
    let searches = sched.idle.counts().spinning > 0 || !sched.injector.is_empty();
    if !idle || searches || sched.stop_is_wanted() {
        return None;
    }
    let ms = lock(&sched.allm);
    let (mut awake, mut polling) = (0, false);
    for mp in ms.iter() {
        if !mp.polls(0) {
            return None;
        }
        let inbox = lock(&mp.inbox);
        polling |= inbox.polling;
        awake += usize::from(!inbox.waits() && !parked.contains(&mp.id));
    }
    // One M may block in the poller, in which it finds nothing.
    let blocked = sched.lastpoll.load(Ordering::Relaxed) == 0; // ord: a hint
    let polls = || sched.all_ps().map(|pp| pp.stats.polls.get()).sum();
    (awake <= usize::from(blocked && !polling)).then(polls)
}

/// Whether every thread is an M, this one, or a bystander.
#[cfg(target_os = "linux")]
fn threads_are_known(sched: &Sched) -> bool {
    let mut known = lock(&Process::here().bystanders).clone();
    known.push(thread_id());
    // ord: written before its M had a P
    let ms = lock(&sched.allm);
    known.extend(ms.iter().map(|mp| mp.tid.load(Ordering::Relaxed)));
    drop(ms);
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return false;
    };
    threads.into_iter().all(|thread| {
        let name = thread
            .ok()
            .and_then(|thread| thread.file_name().into_string().ok());
        let tid = name.and_then(|name| name.parse().ok());
        tid.is_some_and(|tid| known.contains(&tid))
    })
}

#[cfg(not(target_os = "linux"))]
fn threads_are_known(_sched: &Sched) -> bool {
    false
}

/// Whether no signal has a handler but those that wake nobody: std's own for a stack
/// that overflows, and the one that asks for a dump.
#[cfg(target_os = "linux")]
fn handlers_are_known() -> bool {
    // The two without a name are the C library's own; SIGURG is for stacks of polls.
    const KNOWN: [i32; 6] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGQUIT,
        libc::SIGURG,
        32,
        33,
    ];
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let known = KNOWN
        .iter()
        .fold(0, |mask, signal| mask | 1_u64 << (signal - 1));
    caught.is_some_and(|caught| caught & !known == 0)
}

#[cfg(not(target_os = "linux"))]
fn handlers_are_known() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::{Silence, listen, polls_at_rest};
    use crate::Builder;
    use crate::sync::{Ordering, lock};

    /// Threads of the test's are about: only what the runtime has itself is the question.
    #[test]
    fn what_waits_for_another_thread_waits_for_the_outside() {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let sched = rt.handle().sched();
        let _task = rt.spawn(std::future::pending::<()>());
        let heard = || loop {
            match listen(sched) {
                Silence::Unsettled => std::thread::yield_now(),
                heard => return heard,
            }
        };
        assert!(matches!(heard(), Silence::Outside(_)));
        let timer = gmp_timers::Timer::new();
        let when = sched.nanotime() + 3_600_000_000_000;
        let pp = sched.all_ps().next().expect("a P");
        pp.timers.add(&timer, when, std::task::Waker::noop());
        assert_eq!(listen(sched), Silence::Unsettled, "it will go off");
    }

    /// A poll without a P: every P is idle, and somebody runs all the same.
    #[test]
    fn nobody_rests_while_an_m_polls() {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        rt.block_on(rt.spawn(async {})).expect("no panic");
        let sched = rt.handle().sched();
        let rests = || {
            while polls_at_rest(sched).is_none() {
                std::thread::yield_now();
            }
        };
        rests();
        let ms = lock(&sched.allm).clone();
        for mp in ms {
            // ord: of a thread that sleeps
            let before = mp.goid.swap(7, Ordering::Relaxed);
            assert_eq!(polls_at_rest(sched), None);
            mp.goid.store(before, Ordering::Relaxed); // ord: as above
            rests();
        }
    }
}
