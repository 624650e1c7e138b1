//! The loop: `schedule`, `find_runnable` (R-SCHED-1…6).
//!
//! How Ms park and wake is told in `idle/README.md`; this file is the dropper and
//! the spinner of that protocol. Any new source of work has to be named in
//! `find_runnable`, in the look under the lock, in `work_exists`, in `handoff_p`
//! and in sysmon (R-SCHED-6).

use crate::aside;
use crate::execute::execute;
use crate::g::ReadyG;
use crate::injector::batch_size;
use crate::latency;
use crate::m::{M, handoff_p, stop_m};
use crate::netpoll;
use crate::p::P;
use crate::ready::{self, runqput};
use crate::runq::HALF;
use crate::sched::Sched;
use crate::steal::{Stolen, earlier, steal_work};
use crate::stw;
use crate::sync::{Ordering, lock};

pub(crate) use crate::m::wake_p;

/// Between two looks of one P at the global queue: Go's 61, a prime, so that it
/// does not fall into step with the program.
pub(crate) const FAIRNESS: u32 = 61;

/// The life of a worker M: rounds until the runtime ends or the M is not needed.
pub(crate) fn schedule(m: &M) {
    while round(m) {}
}

/// One round: gets a P, finds a task and polls it. False: the M ends.
#[inline]
pub(crate) fn round(m: &M) -> bool {
    if m.p().is_none() && (aside::rests(m) || !m.try_acquire_idle()) && !stop_m(m) {
        return aside::poll(m);
    }
    let Some((gp, inherit)) = find_runnable(m) else {
        return aside::poll(m);
    };
    if m.spinning.get() {
        reset_spinning(m);
    }
    match gp.header().home() {
        Some(home) if home.id != m.shared.id => hand_home(m, gp),
        None if gp.header().park.is_marked() && aside::is_due(m, &gp) => aside::set_aside(m, gp),
        _ => execute(m, gp, inherit),
    }
    true
}

/// A spinner found work: it stops spinning and passes the baton (R-SPIN-4).
fn reset_spinning(m: &M) {
    m.spinning.set(false);
    m.sched.idle.leave_spinning();
    wake_p(&m.sched);
}

/// The task belongs to another M: it gets the task and, if it waits, this M's P
/// (R-P-11).
fn hand_home(m: &M, gp: ReadyG) {
    let home = gp.header().home().expect("gmp: a task with a home").clone();
    let mut inbox = lock(&home.inbox);
    inbox.tasks.push_back(gp);
    if std::mem::replace(&mut inbox.waiting, false) {
        drop(inbox);
        let pp = m.release_p();
        home.start_with(Some(pp), false);
    } else if inbox.polling {
        // It waits for events and looks at its inbox when that is over.
        m.sched.reactor.wake();
    }
}

/// What to run next, and whether it inherits the slice. None: this M ends. The
/// M has a P when it is called and when it returns a task.
pub(crate) fn find_runnable(m: &M) -> Option<(ReadyG, bool)> {
    let sched = &m.sched;
    let mut first = true;
    loop {
        m.now.set(0);
        if sched.stop_is_wanted() {
            stw::gcstop_m(m);
            if !stop_m(m) {
                return None;
            }
            continue;
        }
        let pp = m.must_p();
        // The root of a late `block_on` may still be in a queue, on its way home.
        if sched.is_exiting() && sched.injector.is_empty() && !pp.has_work() {
            return leave(m);
        }
        let (mut poll_until, _) = check_timers(m, pp, true);

        if let Some(found) = local_or_global(m, pp, first) {
            return Some(found);
        }
        first = false;

        // Netpoll before stealing: it is a system call, but what it finds is
        // older than what another P has.
        let mut list = netpoll::poll_before_steal(m);
        if !list.is_empty() {
            let gp = list.remove(0);
            ready::inject_glist(sched, Some(pp), list.into_iter());
            return Some((gp, false));
        }
        // A waker around a task's own, of a join or a select, puts the task into our
        // queue itself; the list knows nothing of it.
        if pp.has_work() {
            continue;
        }

        if m.spinning.get() || sched.idle.try_spin(sched.procs()) {
            m.spinning.set(true);
            match steal_work(m, pp) {
                Stolen::Task(gp, inherit) => return Some((gp, inherit)),
                Stolen::LookAgain => continue,
                Stolen::Nothing { poll_until: theirs } => poll_until = earlier(poll_until, theirs),
            }
            if linger(m) {
                continue;
            }
        }

        // Give up, step 1 of the dropper.
        let mut guard = sched.lock();
        if sched.stop_is_wanted() || !sched.injector.is_empty() {
            continue;
        }
        if !m.spinning.get() && sched.idle.need_spinning() {
            m.spinning.set(true);
            sched.idle.become_spinning();
            continue;
        }
        guard.pidle_put(m.release_p());
        drop(guard);
        // Steps 2 and 3: count down before looking again.
        let was_spinning = m.spinning.replace(false);
        if was_spinning {
            sched.idle.leave_spinning();
        }
        sched.idle.drop_fence();
        // Step 4.
        if work_exists(sched) {
            let pp = sched.lock().pidle_get_spinning();
            if let Some(pp) = pp {
                m.acquire_p(pp);
                m.spinning.set(true); // before the search, or the baton would be lost
                sched.idle.become_spinning();
                continue;
            }
        }
        poll_until = earlier(poll_until, sched.earliest_timer());

        if let Some(mut list) = netpoll::block(m, poll_until) {
            let pp = sched.lock().pidle_get();
            let Some(pp) = pp else {
                ready::inject_glist(sched, None, list.into_iter());
                if !stop_m(m) {
                    return None;
                }
                continue;
            };
            m.acquire_p(pp);
            if !list.is_empty() {
                let gp = list.remove(0);
                ready::inject_glist(sched, Some(pp), list.into_iter());
                return Some((gp, false));
            }
            if spins_on(m, pp, was_spinning) {
                m.spinning.set(true);
                sched.idle.become_spinning();
            }
            continue;
        }
        if !stop_m(m) {
            return None;
        }
    }
}

/// Whether the poller, which no event has woken, goes on as a spinner; Go's does if it
/// was one before. A timer that is due may belong to a P whose M is only waking up: only
/// a spinner looks at the heaps of others, and anybody else would come back here at once,
/// again and again until that M is there. But one that finds a timer in its own heap alone
/// is no spinner: it would wake another M when it runs what the timer wakes, and that M
/// would find nothing. It owes nobody that: it was counted down before it slept.
fn spins_on(m: &M, pp: &P, was_spinning: bool) -> bool {
    if m.sched.go117() {
        return was_spinning;
    }
    let is_due = |pp: &P| (1..=m.now()).contains(&pp.timers.next());
    let elsewhere = m
        .sched
        .all_ps()
        .any(|other| other.id != pp.id && is_due(other));
    elsewhere || (was_spinning && !is_due(pp))
}

/// A spinner whose last sleeps were not worth their price looks around for a
/// moment before it gives up: somebody outside, or a poll that has lost its P,
/// makes work one piece at a time, and each would wake a thread. It counts as
/// spinning meanwhile, so nobody is woken. A lone task in another P's `runnext`
/// is not looked for: its owner runs it next. True: there is work.
fn linger(m: &M) -> bool {
    const MOMENT: u64 = 15_000;
    let patience = m.patience.get();
    if patience == 0 || m.sched.go117() {
        return false;
    }
    let until = m.sched.real_nanotime() + MOMENT;
    loop {
        for _ in 0..16 {
            let work = !m.sched.injector.is_empty() || m.sched.all_ps().any(P::has_company);
            if work || m.sched.stop_is_wanted() {
                return true;
            }
            crate::sync::spin_hint();
        }
        if m.sched.real_nanotime() > until {
            // It did not pay: a little less of it next time.
            m.patience.set(patience - 1);
            return false;
        }
    }
}

/// The runtime has ended: every queue is empty.
fn leave(m: &M) -> Option<(ReadyG, bool)> {
    if m.spinning.replace(false) {
        m.sched.idle.leave_spinning();
    }
    m.sched.lock().pidle_put(m.release_p());
    // The second look of every dropper: a late root that was queued after our look at
    // the queue saw a busy P and woke nobody.
    m.sched.idle.drop_fence();
    if !m.sched.injector.is_empty() {
        wake_p(&m.sched);
    }
    None
}

/// Tick 61, `runnext`, the ring, a batch of the global queue (R-SCHED-1, L-1).
fn local_or_global(m: &M, pp: &P, first: bool) -> Option<(ReadyG, bool)> {
    let sched = &m.sched;
    let tick = pp.tick_now();
    // ord: a hint that sysmon sets; sticky until here
    let preempted = pp.preempt.load(Ordering::Relaxed);
    if preempted {
        pp.preempt.store(false, Ordering::Relaxed); // ord: owner's answer
    }
    // A chain of short tasks that wake each other through runnext inherits one
    // slice for ever, and its ticks stand still. The request to give way is
    // therefore kept until a new slice begins: runnext goes to the tail and the
    // global queue gets its turn (R-PREEMPT-7). Go forgets it. Without a runnext
    // there is no chain, nor after a task that used up a slice of its own; then
    // the ring has its turn as ever: two such tasks that go back to the global
    // queue would starve it.
    let mut breaks_chain = false;
    if preempted
        && m.inherited.get()
        && !sched.go117()
        && let Some(gp) = pp.runq.take_runnext()
    {
        runqput(sched, pp, gp, false);
        breaks_chain = true;
    }
    if (tick.is_multiple_of(FAIRNESS) && (first || !sched.go117())) || breaks_chain {
        latency::ask(m, tick, breaks_chain);
        if let Some(gp) = one_global(sched, pp, tick) {
            pp.stats.global_takes.add(1);
            return Some((gp, false));
        }
        // Under load nobody gets as far as the netpoller, and sysmon looks only
        // every 10 ms; so it has its turn beside the global queue.
        if !sched.go117() && m.net_tick.replace(tick) != tick {
            let mut list = netpoll::poll_now(m);
            if !list.is_empty() {
                // Without a load what it finds is next, and nobody need be woken.
                if list.len() == 1 && !pp.has_work() {
                    return list.pop().map(|gp| (gp, false));
                }
                sched.injector.push_all(list);
                wake_p(sched);
            }
        }
    }
    if let Some(found) = pp.runq.get() {
        return Some(found);
    }
    let gp = batch(sched, pp).or_else(|| pp.yielded.take())?;
    pp.stats.global_takes.add(1);
    if !pp.yielded.is_empty() {
        pp.yielded
            .take_some(HALF as usize, |gp| _ = runqput(sched, pp, gp, false));
        // An M that went to sleep while they were put here has not seen them.
        wake_p(sched);
    }
    Some((gp, false))
}

/// This P's share of the global queue: the first to run, the rest in the ring.
fn batch(sched: &Sched, pp: &P) -> Option<ReadyG> {
    if sched.injector.is_empty() {
        return None;
    }
    let n = batch_size(sched.injector.len(), sched.procs(), 0);
    let gp = sched.injector.pop()?;
    let mut rest = (1..n).map_while(|_| sched.injector.pop());
    pp.runq.put_batch(&mut rest);
    Some(gp)
}

/// The head of the global queue, and by turns that of the tasks that gave way here.
fn one_global(sched: &Sched, pp: &P, tick: u32) -> Option<ReadyG> {
    let global = || match sched.injector.is_empty() {
        true => None,
        false => sched.injector.pop(),
    };
    match (tick / FAIRNESS).is_multiple_of(2) {
        true => global().or_else(|| pp.yielded.take()),
        false => pp.yielded.take().or_else(global),
    }
}

/// Whether there is a task that an idle P could run. Heaps and netpoller are
/// looked at by `earliest_timer` and `netpoll::block`.
pub(crate) fn work_exists(sched: &Sched) -> bool {
    !sched.injector.is_empty()
        || sched
            .all_ps()
            .any(|pp| !sched.idlep_mask.read(pp.id) && pp.has_work())
}

/// Runs the expired timers of `victim` on this M's P (R-TIMER-7, R-TIMER-8).
/// Returns the next time, 0 for none, and whether any ran.
#[inline]
pub(crate) fn check_timers(m: &M, victim: &P, own: bool) -> (u64, bool) {
    if victim.timers.next() == 0 {
        return (0, false);
    }
    run_timers(m, victim, own)
}

#[inline(never)]
fn run_timers(m: &M, victim: &P, own: bool) -> (u64, bool) {
    let mut wakers = m.wakers.take();
    let check = victim.timers.check(m.now(), own, &mut wakers);
    if check.ran {
        let pp = m.must_p();
        pp.stats.timers_fired.add(wakers.len() as u64);
        let mut announce = false;
        for waker in wakers.drain(..) {
            if let Some(gp) = netpoll::wake(&m.sched, waker) {
                announce |= runqput(&m.sched, pp, gp, true);
            }
        }
        if announce {
            wake_p(&m.sched);
        }
    }
    m.wakers.replace(wakers);
    (check.next, check.ran)
}

/// Gives an M's P up when the thread leaves the scheduler.
pub(crate) fn release(m: &M) {
    if m.p().is_some() {
        let pp = m.release_p();
        handoff_p(&m.sched, pp);
    }
}
