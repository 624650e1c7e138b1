//! A clock that tests stop and advance (R-DEAD-3).
//!
//! While it is stopped, time moves in two ways: by [`advance`], and by itself to
//! the next timer when no task can run. No task can run when every P is idle, no
//! queue holds a task, no M is inside a poll, and the reactor has nothing to say.

use std::time::Duration;

use crate::clock::nanos;
use crate::handle::Handle;
use crate::m::MShared;
use crate::sched::Sched;
use crate::sync::{Arc, Ordering, lock};

/// Stops the clock of this thread's runtime. Stopping a stopped clock does
/// nothing.
pub fn pause() {
    let handle = Handle::current();
    let sched = handle.sched();
    let now = sched.nanotime();
    // ord: readers need no more than the number
    let _ = sched
        .virtual_now
        .compare_exchange(0, now, Ordering::AcqRel, Ordering::Relaxed);
}

/// Lets the clock of this thread's runtime run again, from the moment at which
/// it stands.
pub fn resume() {
    let handle = Handle::current();
    let sched = handle.sched();
    let stopped = sched.virtual_now.load(Ordering::Acquire); // ord: a number
    if stopped != 0 {
        let ahead = stopped.saturating_sub(sched.real_nanotime());
        sched.clock_ahead.store(ahead, Ordering::Release); // ord: before the clock runs
        sched.virtual_now.store(0, Ordering::Release); // ord: as above
    }
}

/// Moves the stopped clock of this thread's runtime by `duration` and lets the
/// timers that come due run before it returns.
///
/// # Panics
/// If the clock runs: call [`pause`] first.
#[track_caller]
pub fn advance(duration: Duration) -> impl Future<Output = ()> + Send {
    let handle = Handle::current();
    let sched = handle.sched().clone();
    // ord: a number
    let stopped = sched.virtual_now.load(Ordering::Acquire);
    assert!(
        stopped != 0,
        "gmp::time::advance needs a stopped clock: call gmp::time::pause first"
    );
    async move {
        sched
            .virtual_now
            .fetch_add(nanos(duration), Ordering::AcqRel); // ord: a number
        sched.wake_net_poller(0);
        // Tasks whose timers are due are woken at the next look at the heaps and
        // queue behind us.
        for _ in 0..2 {
            yield_once().await;
        }
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        crate::leaf::gosched(cx);
        std::task::Poll::Pending
    })
    .await;
}

/// The blocked poller's question: may the stopped clock jump? Asked by an M without
/// a P after a poll that found nothing.
pub(crate) fn may_jump(sched: &Arc<Sched>) -> bool {
    let all_idle = {
        let guard = sched.lock();
        guard.idle_ps() == sched.procs() as usize
    };
    // A root on its way home is in no queue and has no P yet: its M is busy.
    // ord: hints; a task that becomes runnable now was woken from outside, at a
    // moment that virtual time says nothing about
    let busy = |m: &Arc<MShared>| m.goid.load(Ordering::Acquire) != 0 || lock(&m.inbox).is_busy();
    let polls = lock(&sched.allm).iter().any(busy);
    all_idle && !polls && sched.injector.is_empty() && sched.idle.counts().spinning == 0
}

/// Jumps to the next timer, if nobody moved the clock meanwhile. Which timer that
/// is can be told only now that no task can run: the last one that ran may have
/// armed an earlier one after the poller had looked. False: there is none.
pub(crate) fn jump(sched: &Sched, from: u64) -> bool {
    let to = sched.earliest_timer();
    if to == 0 || to >= gmp_timers::FOREVER {
        return false;
    }
    // A timer that is due needs no jump.
    let to = to.max(from);
    // ord: a number
    let _ = sched
        .virtual_now
        .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
    true
}
