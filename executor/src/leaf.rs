//! What leaf futures outside this crate may ask of the scheduler. Leaves live
//! in the facade; each calls [`poll_check`] first and [`park`] before it returns
//! Pending.

#![expect(
    unsafe_code,
    reason = "turns the stored address of a location back into a reference"
)]

use std::panic::Location;
use std::ptr;
use std::task::{Context, Poll, Waker};

use gmp_reactor::Reactor;
use gmp_timers::{Reset, Timer};

use crate::clock;
use crate::g::Header;
use crate::handle::Handle;
use crate::held;
use crate::m::{self, M, YieldAs};
use crate::preempt;
use crate::probe::{self, Extras, Leaf, Select, WaitReason};
use crate::ready::Manner;
use crate::sched::Sched;
use crate::stacks;
use crate::sync::Arc;

/// The preemption check. Pending: the task was asked to give way and is already
/// marked to run again; return Pending and register nothing.
#[inline]
pub fn poll_check(cx: &mut Context<'_>) -> Poll<()> {
    preempt::poll_check(cx)
}

/// Notes why and where the running task is about to wait.
#[inline]
pub fn park(reason: WaitReason, location: &'static Location<'static>) {
    park_on(Extras::new(reason), location, |_| 0);
}

/// As [`park`], of a leaf that knows only who polls it, which may be a library: the place
/// of a limit that it has is a better one.
#[inline]
pub fn park_polled(reason: WaitReason, location: &'static Location<'static>) {
    park_on(Extras::polled(reason), location, |_| 0);
}

/// As [`park`], for a limit to another wait: if that one was told in this poll, it stays.
#[inline]
pub fn park_beside(reason: WaitReason, location: &'static Location<'static>) {
    let leaf = m::with_current(|m| m.map_or(Leaf::NONE, |m| m.leaf.get()));
    if leaf.location.is_none() {
        park(reason, location);
    } else if leaf.extras.is_polled() {
        let location = Some(location);
        m::with_current(|m| m.map(|m| m.leaf.set(Leaf { location, ..leaf })));
    }
}

/// As [`park`] for a wait that gmp does not know, with the number of its name in
/// a table of the caller's.
#[inline]
pub fn park_named(name: u64, location: &'static Location<'static>) {
    park_on(Extras::new(WaitReason::Foreign), location, |_| name);
}

/// As [`park`], with the number of the lock that is waited for, see
/// [`Lot`](crate::held::Lot), and the waker that the lock has.
pub fn park_for(reason: WaitReason, location: &'static Location<'static>, lot: u64, waker: &Waker) {
    park_on(Extras::new(reason), location, |m| {
        held::noted(lot, waker, m)
    });
}

/// As [`park`], for the end of `task`, whose id is told.
#[inline]
pub(crate) fn park_joining(
    reason: WaitReason,
    location: &'static Location<'static>,
    task: &Header,
) {
    park_on(Extras::polled(reason), location, |m| id_in(m, task));
}

/// Takes back what [`park_joining`] noted, if that is still what is told.
pub(crate) fn unpark_joining(reason: WaitReason, task: &Header) {
    m::with_current(|m| {
        if let Some(m) = m {
            let leaf = m.leaf.get();
            if leaf.extras.reason() == reason && leaf.target == id_in(m, task) {
                m.leaf.set(Leaf::NONE);
            }
        }
    });
}

/// The id of a task for the records of `m`'s tasks; 0: it is one of another runtime,
/// where ids are others'.
#[inline]
fn id_in(m: &M, task: &Header) -> u64 {
    if ptr::eq(task.sched.as_ptr(), &raw const *m.sched) {
        task.goid
    } else {
        0
    }
}

/// Takes back what a leaf told that is dropped before the poll ends: the running task does
/// not wait at this place, which tells the leaf from others, whatever else it waits for.
/// The drop of one that was still pending calls this.
#[inline]
pub fn unpark_at(location: &'static Location<'static>) {
    m::with_current(|m| {
        if let Some(m) = m {
            let at = m.leaf.get().location;
            if at.is_some_and(|at| ptr::eq(at, location)) {
                m.leaf.set(Leaf::NONE);
            }
        }
    });
}

/// What leaves have told of the running task's wait up to a point in a poll.
#[derive(Clone, Copy, Debug)]
pub struct Told(Leaf);

/// What leaves have told in this poll: for [`take_back`].
#[inline]
pub fn told() -> Told {
    m::with_current(|m| Told(m.map_or(Leaf::NONE, |m| m.leaf.get())))
}

/// Takes back what leaves have told since [`told`] gave `before` in this poll: they were
/// in a future that is over, and may be of a kind that does not see its own end.
pub fn take_back(before: Told) {
    m::with_current(|m| m.map(|m| m.leaf.set(before.0)));
}

/// The running task polls a `select!` that stands at `location`: until the end of the
/// poll or until [`select_ends`], its wait is that one's, whatever the leaves in it tell.
/// `key` is the address of anything that lives as long as the select.
pub fn select_polls(key: *const (), location: &'static Location<'static>) {
    m::with_current(|m| m.map(|m| Select::begins(m, key, location)));
}

/// The select with this key is over.
pub fn select_ends(key: *const ()) {
    m::with_current(|m| m.map(|m| Select::ends(m, key)));
}

/// As [`park`], with what else is told.
#[inline]
fn park_on(told: Extras, location: &'static Location<'static>, target: impl FnOnce(&M) -> u64) {
    m::with_current(|m| {
        if let Some(m) = m {
            m.progress.leaf_waits();
            if probe::RECORDS {
                let stack = if probe::wants_stacks_of(m) {
                    stacks::at_leaf(m, told.reason())
                } else {
                    0
                };
                m.leaf.set(Leaf {
                    location: Some(location),
                    target: target(m),
                    extras: told.with_labels(m.labels()).with_stack(stack),
                });
            }
        }
    });
}

/// The set of labels that the running task has just now; 0: none.
pub fn labels() -> u16 {
    m::with_current(|m| m.map_or(0, M::labels))
}

/// The running task is about to wait for something that gmp does not know, under
/// these labels. What a leaf of ours noted stays.
pub fn wait_labels(labels: u16) {
    m::with_current(|m| {
        if let Some(m) = m {
            let mut leaf = m.leaf.get();
            if leaf.extras.labels().is_none() {
                leaf.extras = leaf.extras.with_labels(labels);
                m.leaf.set(leaf);
            }
        }
    });
}

/// Gives the running task a set of labels until its poll ends, by its number in a
/// table of the caller's; what it spawns meanwhile inherits it for good. Returns
/// the former one.
pub fn set_labels(labels: u16) -> u16 {
    m::with_current(|m| {
        let Some(m) = m else { return 0 };
        // SAFETY: the running task outlives the call that it makes.
        let Some(task) = (unsafe { m.curg.get().as_ref() }) else {
            return 0;
        };
        probe::before_loss(m, task);
        let before = task.park.labels();
        task.park.set_labels(labels);
        before
    })
}

/// Whether the running task was asked to give way.
pub fn preempt_wanted() -> bool {
    preempt::wanted()
}

/// Gives way: when its poll returns Pending the running task goes to the tail of the
/// global queue (R-G-10), or behind that queue on its own P while all of several Ps are
/// busy. Outside a task it only wakes the waker.
pub fn gosched(cx: &mut Context<'_>) {
    m::with_current(|m| {
        if let Some(m) = m {
            m.yield_as.set(YieldAs::Gosched);
        }
    });
    cx.waker().wake_by_ref();
}

/// As [`gosched`], but to the tail of the own P's queue (R-G-11).
pub fn goyield(cx: &mut Context<'_>) {
    m::with_current(|m| {
        if let Some(m) = m {
            m.yield_as.set(YieldAs::Goyield);
        }
    });
    cx.waker().wake_by_ref();
}

/// Runs `f`; the tasks that it wakes go to the tail of the own P's queue, not to
/// its head. For tasks of which many wake the same one: it finds what all of them
/// have left for it, and need not run after each.
pub fn waking_last<R>(f: impl FnOnce() -> R) -> R {
    fn set(last: bool) -> bool {
        m::with_current(|m| m.is_some_and(|m| Manner::set_last(&m.manner, last)))
    }
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            set(self.0);
        }
    }
    let _restore = Restore(set(true));
    f()
}

/// Runs `f`, in which no leaf gives way.
pub fn unconstrained<R>(f: impl FnOnce() -> R) -> R {
    preempt::unconstrained(f)
}

/// The clock of this thread's runtime in nanoseconds; real time elsewhere.
pub fn now() -> u64 {
    m::with_current(|m| match m {
        Some(m) => m.sched.nanotime(),
        None => Handle::now_here(),
    })
}

/// Whether the clock of this thread's runtime has reached `when`. A moment that is
/// plainly in the future costs no reading of the clock; one that comes meanwhile is
/// found by the next look at the heaps.
pub fn is_due(when: u64) -> bool {
    m::with_current(|m| match m {
        Some(m) => m.is_due(when),
        None => when <= Handle::now_here(),
    })
}

/// The moment `duration` from now, clamped.
pub fn when(duration: std::time::Duration) -> u64 {
    now()
        .saturating_add(clock::nanos(duration))
        .min(gmp_timers::FOREVER)
}

/// A duration in nanoseconds, clamped.
pub fn nanos(duration: std::time::Duration) -> u64 {
    clock::nanos(duration)
}

/// The reading of the runtime's clock at a moment of std's.
pub fn from_instant(at: std::time::Instant) -> u64 {
    clock::from_instant(at)
}

/// The moment of std's clock at a reading of the runtime's.
pub fn to_instant(when: u64) -> std::time::Instant {
    clock::to_instant(when)
}

/// A moment that is as good as never.
pub fn far_future() -> std::time::Instant {
    clock::to_instant(gmp_timers::FOREVER)
}

/// Moves a pending timer, which keeps its waker. False: it was not pending.
pub fn move_timer(timer: &Timer, when: u64) -> bool {
    match timer.reset(when) {
        Reset::Moved { was_pending, wake } => {
            if wake {
                wake_poller(timer, when);
            }
            was_pending
        }
        Reset::NotInHeap => false,
    }
}

/// Tells the runtime in whose heap the timer is, which need not be this thread's.
fn wake_poller(timer: &Timer, when: u64) {
    // In none: it has fired meanwhile.
    let Some(owner) = timer.owner() else { return };
    m::with_current(|m| match m {
        Some(m) if m.sched.number() == owner => m.sched.wake_net_poller(when),
        _ => {
            if let Some(owner) = Handle::numbered(owner) {
                owner.sched().wake_net_poller(when);
            }
        }
    });
}

/// Arms `timer` for `when` (R-TIMER-4): on this thread's P, else on some P of
/// the current runtime, or of the global one if that has ended.
pub fn arm(timer: &Timer, when: u64, waker: &Waker) {
    m::with_current(|m| match m {
        Some(m) => {
            arm_on(m, timer, when, waker);
            unless_ended(&m.sched, timer, when, waker);
        }
        None => {
            let here = Handle::current();
            here.sched().arm_somewhere(timer, when, waker);
            unless_ended(here.sched(), timer, when, waker);
        }
    });
}

/// Nobody looks at the heaps of a runtime that has ended, in which `timer` is perhaps.
/// After the arming, for the heap's lock orders the two: either the end has found the
/// timer there, or this look finds the end.
fn unless_ended(sched: &Sched, timer: &Timer, when: u64, waker: &Waker) {
    if sched.is_exiting() {
        sched.evict_timers();
        Handle::global().sched().arm_somewhere(timer, when, waker);
    }
}

fn arm_on(m: &M, timer: &Timer, when: u64, waker: &Waker) {
    m.sched.assert_here();
    let here = m.with_p(|pp| pp.map(|pp| pp.timers.add(timer, when, waker)));
    match here {
        // In the default rules an M that has its P looks at its own heap
        // before it sleeps, and sysmon looks if the poll goes on.
        Some(_) if m.sched.go117() => m.sched.wake_net_poller(when),
        Some(_) => {}
        None => m.sched.arm_somewhere(timer, when, waker),
    }
}

/// As [`arm`], on the runtime of `home` whoever calls. If that has ended, the timer is
/// neither pending nor fired afterwards.
fn arm_at(home: &Arc<Reactor>, timer: &Timer, when: u64, waker: &Waker) {
    let number = Sched::number_of(home);
    // As in `unless_ended`, but nobody is woken: the caller may hold a lock.
    let stop_if_ended = |sched: &Sched| sched.is_exiting() && timer.stop();
    m::with_current(|m| match m {
        Some(m) if m.sched.number() == number => {
            arm_on(m, timer, when, waker);
            stop_if_ended(&m.sched);
        }
        _ => {
            if let Some(owner) = Handle::numbered(number) {
                owner.sched().arm_somewhere(timer, when, waker);
                stop_if_ended(owner.sched());
            }
        }
    });
}

/// Moves `timer` to `when` (R-TIMER-6), and arms it on the runtime of `home` if it was
/// in no heap. Returns whether it was pending. If that runtime has ended, a timer that
/// was in no heap is neither pending nor fired afterwards.
pub fn rearm(home: &Arc<Reactor>, timer: &Timer, when: u64, waker: &Waker) -> bool {
    match timer.reset(when) {
        Reset::Moved { was_pending, wake } => {
            timer.set_waker(waker);
            if wake {
                wake_poller(timer, when);
            }
            was_pending
        }
        Reset::NotInHeap => {
            arm_at(home, timer, when, waker);
            false
        }
    }
}

/// The location behind a stored address.
pub(crate) fn location_of(address: *const Location<'static>) -> Option<&'static Location<'static>> {
    // SAFETY: only addresses of `&'static Location` are stored (ParkRecord, MShared).
    unsafe { address.as_ref() }
}
