//! Stopping and starting the world, and changing its size (R-STW-1…4, R-P-10).
//!
//! "Stopped" means that the stopper has every P. An M in the scheduler gives its
//! P up at the top of its round; an M inside a poll is asked to give way, and if
//! it does not answer, its P is taken as sysmon would take it, and the poll goes
//! on without one. So a stop never waits for a long poll.

use std::time::Duration;

use crate::clock::nanos;
use crate::m::{self, M, MShared, start_m, wake_p};
use crate::p::{P, PDEAD, PGCSTOP};
use crate::preempt;
use crate::sched::{MAX_PROCS, Sched, SchedGuard};
use crate::sync::{Arc, MutexGuard, Ordering, lock};

/// Time between two requests to Ps that have not stopped (R-STW-2).
const RETRY: Duration = Duration::from_micros(100);
/// Requests before a P is taken out of a poll that does not answer.
const PATIENCE: u32 = 3;
/// So long a stop waits for an answer before it takes a P.
const PATIENT: Duration = Duration::from_micros(300);

/// The stopped world. Dropping it starts the world.
pub(crate) struct WorldStopped<'a> {
    sched: &'a Arc<Sched>,
    procs: u32,
    /// The P that the stopper itself has, if it is an M with one.
    own: Option<u32>,
    _world: MutexGuard<'a, ()>,
}

/// Stops the world; blocks until it stands. A second stopper waits.
#[track_caller]
pub(crate) fn stop_the_world(sched: &Arc<Sched>) -> WorldStopped<'_> {
    stop_within(sched, PATIENT)
}

/// As [`stop_the_world`]; a poll that does not give way within `patience` loses its
/// P and goes on without one.
#[track_caller]
pub(crate) fn stop_within(sched: &Arc<Sched>, patience: Duration) -> WorldStopped<'_> {
    sched.assert_here();
    let world = lock(&sched.world);
    // sysmon must not take the stopper's own P in the middle of this.
    let own = m::with_current(|m| {
        let m = m.filter(|m| Arc::ptr_eq(&m.sched, sched))?;
        m.with_p(|pp| pp.map(|pp| pp.id))
    });
    {
        let mut guard = sched.lock();
        guard.inner.stopwait = sched.procs();
        sched.stop_wanted.store(true, Ordering::SeqCst); // ord: before the Ps are looked at
        if let Some(own) = own {
            stopped(&mut guard, sched.p(own));
        }
        while let Some(pp) = guard.pidle_get() {
            stopped(&mut guard, pp);
        }
    }
    let stands = || sched.lock().inner.stopwait == 0;
    let begun = sched.real_nanotime();
    let patience = nanos(patience);
    while !stands() {
        let rest = (begun + patience).saturating_sub(sched.real_nanotime());
        for pp in sched.all_ps().filter(|pp| Some(pp.id) != own) {
            ask(sched, pp, rest == 0);
        }
        if stands() {
            break;
        }
        let rest = if rest == 0 {
            RETRY
        } else {
            RETRY.min(Duration::from_nanos(rest))
        };
        sched.stop_note.sleep_for(Some(rest));
    }
    WorldStopped {
        sched,
        procs: sched.procs(),
        own,
        _world: world,
    }
}

/// Asks the M of a running P to stop, or takes the P.
fn ask(sched: &Sched, pp: &P, take: bool) {
    let Some(mp) = owner(sched, pp) else { return };
    preempt::preempt_one(pp, &mp);
    let in_syscall = mp.syscalls.load(Ordering::Relaxed) > 0; // ord: hint
    if (take || in_syscall)
        && let Some(pp) = take_p(sched, &mp)
    {
        stopped(&mut sched.lock(), pp);
    }
}

/// The M that has `pp` at this moment.
pub(crate) fn owner(sched: &Sched, pp: &P) -> Option<Arc<MShared>> {
    let id = pp.m.load(Ordering::Acquire).checked_sub(1)?; // ord: hint; take_p looks again
    lock(&sched.allm).iter().find(|m| m.id == id).cloned()
}

/// Takes the P of an M that is inside a poll. The caller holds `Sched::world`, so
/// there is one taker at a time and none while the world is stopped.
pub(crate) fn take_p<'a>(sched: &'a Sched, mp: &MShared) -> Option<&'a P> {
    // Which P that is, is read while the M cannot change it: once the P is ours,
    // the M may be back in the scheduler with another one.
    let word = mp.fence.take_where(2000, || mp.p.load(Ordering::Acquire))?; // ord: sees acquire_p
    // ord: a hint for others; the M's next P stays
    let _ =
        mp.p.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed);
    let id = word.checked_sub(1);
    let pp = sched.p(id.expect("gmp: a P was taken from an M without one"));
    pp.m.store(0, Ordering::Release); // ord: before it gets another M
    Some(pp)
}

fn stopped(guard: &mut SchedGuard<'_>, pp: &P) {
    pp.set_status(PGCSTOP);
    guard.inner.stopwait -= 1;
}

/// An M at the top of its round while a stop is wanted: gives its P up
/// (R-STW-3). It is not spinning afterwards and has no P.
pub(crate) fn gcstop_m(m: &M) {
    if m.spinning.replace(false) {
        // No second look: the world is restarted with a wake-up.
        m.sched.idle.leave_spinning();
    }
    let mut guard = m.sched.lock();
    let pp = m.release_p();
    if m.sched.stop_is_wanted() {
        stopped_by_m(&m.sched, &mut guard, pp);
        return;
    }
    // The world was started again in between.
    drop(guard);
    m::handoff_p(&m.sched, pp);
}

fn stopped_by_m(sched: &Sched, guard: &mut SchedGuard<'_>, pp: &P) {
    stopped(guard, pp);
    if guard.inner.stopwait == 0 {
        sched.stop_note.wake();
    }
}

/// `handoff_p` while a stop is wanted. True: the P has stopped.
pub(crate) fn stop_handed_off(sched: &Sched, guard: &mut SchedGuard<'_>, pp: &P) -> bool {
    if !sched.stop_is_wanted() {
        return false;
    }
    stopped_by_m(sched, guard, pp);
    true
}

impl WorldStopped<'_> {
    /// The stopper goes on without its own P, which starts with the others: it has
    /// something long to do.
    pub(crate) fn leave_own(&mut self) {
        if self.own.take().is_none() {
            return;
        }
        m::with_current(|m| {
            let m = m.expect("gmp: a stopper with a P is an M");
            m.with_p(|_| {
                m.release_p();
                m.shared.fence.lose();
            });
        });
    }

    /// The number of Ps that the world starts with.
    pub(crate) fn set_procs(&mut self, procs: u32) {
        self.procs = procs.clamp(1, MAX_PROCS as u32);
    }
}

impl Drop for WorldStopped<'_> {
    fn drop(&mut self) {
        let sched = self.sched;
        let before = sched.procs();
        let mut busy = Vec::new();
        {
            let mut guard = sched.lock();
            for id in before..self.procs {
                sched.make_p(id);
            }
            // The head of the global queue: what dead Ps had goes before what
            // waited there, each P's own order kept, runnext first (R-P-10).
            if self.procs < before {
                let mut first = Vec::new();
                for id in (self.procs..before).rev() {
                    let pp = sched.p(id);
                    let mut own = Vec::new();
                    pp.drain(|gp| own.push(gp));
                    first.extend(own);
                    pp.set_status(PDEAD);
                }
                sched.injector.push_front(first);
            }
            sched.set_gomaxprocs(self.procs);
            for id in self.procs..before {
                sched.p(0).timers.take_from(&sched.p(id).timers);
                sched.timerp_mask.clear(id);
                sched.idlep_mask.clear(id);
            }
            sched.stop_wanted.store(false, Ordering::SeqCst); // ord: under the lock
            for id in (0..self.procs).rev() {
                if self.own == Some(id) {
                    sched.p(id).set_status(crate::p::PRUNNING);
                    continue;
                }
                let pp = sched.p(id);
                if pp.has_work() {
                    busy.push(pp);
                } else {
                    guard.pidle_put(pp);
                    if pp.timers.next() != 0 {
                        sched.timerp_mask.set(id);
                    }
                }
            }
        }
        if let Some(own) = self.own.filter(|&own| own >= self.procs) {
            trade(sched, own);
        }
        sched.wake_sysmon();
        for pp in busy {
            start_m(sched, Some(pp), false);
        }
        // Events and timers that came meanwhile find somebody.
        let when = sched.earliest_timer();
        if when != 0 {
            sched.wake_net_poller(when);
        }
        wake_p(sched);
    }
}

/// The stopper's own P is gone: it goes on with another one or with none.
fn trade(sched: &Arc<Sched>, own: u32) {
    m::with_current(|m| {
        let Some(m) = m else { return };
        m.with_p(|pp| {
            if pp.is_some_and(|pp| pp.id == own) {
                m.release_p();
                let next = sched.lock().pidle_get();
                match next {
                    Some(next) => m.acquire_p(next),
                    None => m.shared.fence.lose(),
                }
            }
        });
    });
}

/// Changes the number of Ps; the world stops for it. Returns the former number.
pub(crate) fn set_procs(sched: &Arc<Sched>, procs: u32) -> u32 {
    let before = sched.procs();
    if procs != before {
        let mut world = stop_the_world(sched);
        world.set_procs(procs);
    }
    before
}

/// Calls `f` once for every P at a moment when no task runs on it, without
/// stopping the others for it (R-STW-5): a ragged barrier, cheaper than a stop.
pub(crate) fn for_each_p(sched: &Arc<Sched>, f: Arc<dyn Fn(u32) + Send + Sync>) {
    let _world = lock(&sched.world);
    *lock(&sched.safe_point) = Some(f.clone());
    for pp in sched.all_ps() {
        pp.safe_point.store(true, Ordering::Release); // ord: after the function
    }
    let own = m::with_current(|m| {
        let m = m.filter(|m| Arc::ptr_eq(&m.sched, sched))?;
        m.with_p(|pp| pp.map(|pp| pp.id))
    });
    if let Some(own) = own {
        run_safe_point(sched, sched.p(own));
    }
    let mut tries = 0;
    while sched
        .all_ps()
        .any(|pp| pp.safe_point.load(Ordering::Acquire))
    {
        // ord: sees the function's effects
        {
            // A P on the idle list stays there while the lock is held.
            let guard = sched.lock();
            for id in guard.idle_ids() {
                run_safe_point(sched, sched.p(id));
            }
        }
        for pp in sched
            .all_ps()
            .filter(|pp| pp.safe_point.load(Ordering::Relaxed))
        {
            // ord: a hint
            let Some(mp) = owner(sched, pp) else { continue };
            preempt::preempt_one(pp, &mp);
            if (tries >= PATIENCE || mp.blocks())
                && let Some(taken) = take_p(sched, &mp)
            {
                run_safe_point(sched, taken);
                m::handoff_p(sched, taken);
            }
        }
        tries += 1;
        sched.stop_note.sleep_for(Some(RETRY));
    }
    *lock(&sched.safe_point) = None;
}

/// By whoever has `pp`: runs the pending function for it, once.
pub(crate) fn run_safe_point(sched: &Sched, pp: &P) {
    // ord: sees the function
    if pp.safe_point.swap(false, Ordering::AcqRel) {
        let f = lock(&sched.safe_point).clone();
        if let Some(f) = f {
            f(pp.id);
        }
    }
}
