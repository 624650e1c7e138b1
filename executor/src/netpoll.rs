//! Who polls the reactor, until when, and how ready wakers become tasks
//! (R-POLL-6…10, R-POLL-13, L-7).
//!
//! One M at most blocks in the reactor, without a P; `lastpoll == 0` says so.
//! Everybody else polls without waiting. The reactor gives wakers; those of our
//! own tasks are turned back into tasks here, so that a burst of events becomes
//! one batch, and foreign ones are simply woken.

use std::task::Waker;
use std::time::Duration;

use gmp_timers::Timer;

use crate::g::ReadyG;
use crate::g::waker::wake_unqueued;
use crate::m::{M, wake_p};
use crate::p::P;
use crate::probe;
use crate::sched::Sched;
use crate::sync::{Arc, AtomicU64, Ordering, lock, store_load_fence};
use crate::virtual_time;

/// Polls the reactor and returns the tasks that this made runnable, in Go's list
/// order: last event first, and for one descriptor the writer before the reader.
pub(crate) fn netpoll(
    sched: &Sched,
    wakers: &mut Vec<Waker>,
    timeout: Option<Duration>,
) -> Vec<ReadyG> {
    if let Err(error) = sched.reactor.poll(timeout, wakers) {
        // A poller that fails for another reason than a signal is gone: nobody
        // would ever wake up again.
        crate::throw::throw(sched, &format!("netpoll failed: {error}"));
    }
    let mut list = Vec::with_capacity(wakers.len());
    for waker in wakers.drain(..).rev() {
        list.extend(wake(sched, waker));
    }
    list
}

/// Wakes one waker that came out of a list of ours. The task is the caller's to
/// queue if it is one of our own.
pub(crate) fn wake(sched: &Sched, waker: Waker) -> Option<ReadyG> {
    match wake_unqueued(sched, waker) {
        Ok(gp) => gp,
        Err(foreign) => {
            probe::contain(|| foreign.wake());
            None
        }
    }
}

/// The M's round of non-blocking polling before it steals. Go always makes it; an
/// M whose last one found nothing, so that it slept in the poller next, spares
/// itself the system call until a sleep turns out to be none.
pub(crate) fn poll_before_steal(m: &M) -> Vec<ReadyG> {
    if m.polls_in_vain.get() && !m.sched.go117() {
        return Vec::new();
    }
    poll_now(m)
}

/// A round of non-blocking polling, unless nobody needs one now.
pub(crate) fn poll_now(m: &M) -> Vec<ReadyG> {
    let sched = &*m.sched;
    // ord: hints; a blocked poller sees the events itself
    if sched.reactor.sources() == 0 || sched.lastpoll.load(Ordering::Relaxed) == 0 {
        return Vec::new();
    }
    let mut wakers = m.wakers.take();
    let list = netpoll(sched, &mut wakers, Some(Duration::ZERO));
    m.wakers.replace(wakers);
    list
}

/// The M, which has no P, blocks in the reactor if nobody does (R-POLL-6).
/// Returns None if it is not the poller.
pub(crate) fn block(m: &M, poll_until: u64) -> Option<Vec<ReadyG>> {
    let sched = &m.sched;
    if sched.reactor.sources() == 0 && poll_until == 0 {
        return None;
    }
    // ord: claims the role; adders of timers look at it after a full fence
    if sched.lastpoll.swap(0, Ordering::SeqCst) == 0 {
        // Somebody else blocks. If it would sleep past our timer, break it.
        if poll_until != 0 {
            sched.wake_net_poller(poll_until);
        }
        return None;
    }
    sched.poll_until.store(poll_until, Ordering::SeqCst); // ord: read by breakers only
    // A timer that was added between our look at the heaps and the claim saw no
    // poller to break. Look again, now that adders see one.
    store_load_fence(); // form F; partner: wake_net_poller
    let poll_until = sched.earliest_timer();
    sched.poll_until.store(poll_until, Ordering::SeqCst); // ord: as above
    // A root that waits for events says so in its inbox before it claims the role;
    // the break of a task that came in between may have gone to the poller before it.
    let has_task = m.attached && !lock(&m.shared.inbox).tasks.is_empty();
    let mut wakers = m.wakers.take();
    let before = sched.real_nanotime();
    let list = match sched.virtual_now.load(Ordering::Acquire) {
        _ if has_task => netpoll(sched, &mut wakers, Some(Duration::ZERO)),
        0 => netpoll(sched, &mut wakers, sleep_time(sched, poll_until)),
        stopped => poll_in_virtual_time(sched, &mut wakers, stopped, poll_until), // ord: a number
    };
    m.wakers.replace(wakers);
    sched.poll_until.store(0, Ordering::SeqCst); // ord: before the role is free
    let now = sched.real_nanotime();
    sched.set_coarse(now); // sysmon may have slept as long
    m.polls_in_vain.set(now - before > A_SLEEP);
    sched.lastpoll.store(now, Ordering::SeqCst); // ord: frees the role
    m.now.set(0);
    Some(list)
}

/// What a poll that finds an event at once does not take, in nanoseconds.
const A_SLEEP: u64 = 10_000;

/// How long the poller may sleep; None: until an event or a break.
fn sleep_time(sched: &Sched, until: u64) -> Option<Duration> {
    if !sched.injector.is_empty() || sched.is_exiting() {
        return Some(Duration::ZERO);
    }
    if until == 0 {
        return None;
    }
    let now = sched.nanotime();
    let sleep = until.saturating_sub(now);
    let least = match sched.go117() {
        true => 0,
        false => sched.grain.next(now, sched.timers_fired()),
    };
    Some(Duration::from_nanos(sleep.max(least)))
}

/// The least time for which the poller sleeps when only a timer is to end it. Zero,
/// so that a timer fires to the point; but where every short sleep is followed by
/// several timers at once, each such wake-up costs more than the work that it
/// finds, and sleeping a little longer collects more of them. Where a crowd of them
/// comes at each turn, which takes tens of thousands a second, the sleep grows to
/// the tick that Tokio's timers always have.
#[derive(Debug, Default)]
pub(crate) struct Grain {
    nanos: AtomicU64,
    /// When it was chosen, and how many timers had fired by then.
    chosen: AtomicU64,
    fired: AtomicU64,
}

impl Grain {
    const FIRST: u64 = 60_000;
    const MANY: u64 = 4;
    const MOST_FOR_MANY: u64 = 250_000;
    const CROWD: u64 = 16;
    const MOST_FOR_CROWD: u64 = 1_000_000;

    /// By the poller, before it sleeps: `fired` timers have fired until now. A choice
    /// holds for as long as the sleep that it stands for: one that an event ends early
    /// says nothing of timers.
    fn next(&self, now: u64, fired: u64) -> u64 {
        let nanos = self.nanos.load(Ordering::Relaxed); // ord: the poller's own, handed on with the role
        let chosen = self.chosen.load(Ordering::Relaxed); // ord: as above
        if now.saturating_sub(chosen) < nanos {
            return nanos;
        }
        self.chosen.store(now, Ordering::Relaxed); // ord: as above
        let since = fired.saturating_sub(self.fired.load(Ordering::Relaxed)); // ord: as above
        let next = match since {
            Self::CROWD.. => (2 * nanos).clamp(Self::FIRST, Self::MOST_FOR_CROWD),
            Self::MANY.. => (2 * nanos).clamp(Self::FIRST, Self::MOST_FOR_MANY),
            2.. => nanos,
            _ => 0,
        };
        self.nanos.store(next, Ordering::Relaxed); // ord: as above
        self.fired.store(fired, Ordering::Relaxed); // ord: as above
        next
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Grain;

    #[test]
    fn many_timers_make_the_grain_coarser_and_a_lone_one_makes_it_none() {
        let grain = Grain::default();
        let mut now = 0;
        let mut next = |fired| {
            now += 1_000_000;
            grain.next(now, fired)
        };
        assert_eq!(next(1), 0);
        assert_eq!(next(5), 60_000);
        assert_eq!(next(9), 120_000);
        assert_eq!(next(11), 120_000);
        assert_eq!(next(15), 240_000);
        assert_eq!(next(19), 250_000);
        assert_eq!(next(35), 500_000);
        assert_eq!(next(100), 1_000_000);
        assert_eq!(next(200), 1_000_000);
        assert_eq!(next(204), 250_000);
        assert_eq!(next(205), 0);
    }

    #[test]
    fn a_sleep_that_is_cut_short_changes_nothing() {
        let grain = Grain::default();
        assert_eq!(grain.next(1_000_000, 4), 60_000);
        assert_eq!(grain.next(1_059_999, 4), 60_000);
        assert_eq!(grain.next(1_060_000, 24), 120_000);
        assert_eq!(grain.next(1_179_999, 24), 120_000);
        assert_eq!(grain.next(1_180_000, 25), 0);
        assert_eq!(grain.next(1_180_001, 29), 60_000);
    }
}

/// With a stopped clock a timer is no reason to sleep: if nothing else is to be
/// done, its time comes at once.
fn poll_in_virtual_time(
    sched: &Arc<Sched>,
    wakers: &mut Vec<Waker>,
    stopped: u64,
    until: u64,
) -> Vec<ReadyG> {
    let list = netpoll(sched, wakers, Some(Duration::ZERO));
    if !list.is_empty() || (until != 0 && until <= stopped) || !sched.injector.is_empty() {
        return list;
    }
    if until != 0 && virtual_time::may_jump(sched) && virtual_time::jump(sched, stopped) {
        return list;
    }
    // Somebody is still busy. What it does may be the end of waiting, and it may
    // break this sleep; if it just ends, we look again.
    let nap = if until == 0 {
        None
    } else {
        Some(Duration::from_millis(1))
    };
    let nap = if sched.is_exiting() {
        Some(Duration::ZERO)
    } else {
        nap
    };
    netpoll(sched, wakers, nap)
}

impl Sched {
    /// Tells whoever sleeps that there is a timer for `when` (R-POLL-9). The
    /// timer is in its heap already.
    pub(crate) fn wake_net_poller(self: &Arc<Self>, when: u64) {
        store_load_fence(); // form F; partner: block
        if self.lastpoll.load(Ordering::Relaxed) == 0 {
            let until = self.poll_until.load(Ordering::Relaxed); // ord: the fence orders it
            if until == 0 || until > when {
                self.reactor.wake();
            }
        } else {
            wake_p(self);
        }
    }

    /// A source was registered by a thread that may never poll: somebody must.
    pub(crate) fn source_added(self: &Arc<Self>) {
        store_load_fence(); // form F; partner: the droppers' second look
        if self.lastpoll.load(Ordering::Relaxed) != 0 {
            wake_p(self); // ord: the fence orders the load
        }
    }

    /// The earliest timer of all Ps, 0 for none (R-TIMER-14).
    pub(crate) fn earliest_timer(&self) -> u64 {
        self.all_ps()
            .filter(|pp| self.timerp_mask.read(pp.id))
            .fold(0, |until, pp| {
                crate::steal::earlier(until, pp.timers.next())
            })
    }

    /// Arms a timer from a thread without a P: on the heap of P 0, under its
    /// lock, and tells the poller.
    #[track_caller]
    pub(crate) fn arm_somewhere(self: &Arc<Self>, timer: &Timer, when: u64, waker: &Waker) {
        self.assert_here();
        let pp = self.p(0);
        pp.timers.add(timer, when, waker);
        // P 0 may be idle, and then its bit is clear.
        self.timerp_mask.set(0);
        self.wake_net_poller(when);
    }

    /// The end of all timers: nobody looks at the heaps any more. Who waits for one is
    /// woken, finds that it has not fired, and arms it where it runs.
    pub(crate) fn evict_timers(&self) {
        for pp in self.all_ps() {
            for waker in pp.timers.evict() {
                probe::contain(|| waker.wake());
            }
        }
    }

    /// Whether somebody should block in the poller, for a P that goes idle.
    pub(crate) fn has_poll_work(&self, pp: &P) -> bool {
        self.reactor.sources() > 0 || pp.timers.next() != 0
    }
}
