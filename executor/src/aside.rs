//! Tasks that hold up their P, on the way to an M that polls them without one.
//!
//! Those that block get a thread each: they cost no core. Those that compute share
//! the cores with the Ps, and the kernel would let sixteen of them keep the thread
//! that answers a request waiting for a whole round of theirs; so only about as many
//! as there are Ps compute at once, and the others wait for their turn.
//!
//! - A task that has a turn carries a mark in its park record; whoever polls it
//!   takes the mark and answers for the turn: it goes to the next in the queue or is
//!   given back.
//! - A queued task is runnable, and listed in the registry, where dumps, suspenders
//!   and shutdown find it.
//! - The runtime's end opens the gate: `flush` hands the queue to the Ps, and under
//!   the same lock nobody queues after that.
//! - A turn that does not end (the poll blocks after all) holds the queue up no longer
//!   than [`STUCK`] per task: sysmon then lets one more go.

use std::collections::VecDeque;

use crate::execute;
use crate::g::{Header, ReadyG};
use crate::m::{M, handoff_p, wake_p};
use crate::sched::Sched;
use crate::sync::{Arc, Mutex, Ordering, lock};

/// A poll of a task that held up a P, and now took less than this, clears it of
/// the suspicion.
const SHORT: u64 = 1_000_000;

/// After this time without a change of turns sysmon lets one more task compute.
const STUCK: u64 = 100_000_000;

/// Who computes without a P, and who is to.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<ReadyG>,
    /// Tasks that have a turn.
    running: u32,
    /// When a turn began last, by sysmon's clock.
    moved: u64,
}

impl Turns {
    /// Whether tasks wait for their turn.
    pub(crate) fn are_wanted(&self) -> bool {
        !lock(&self.inner).queue.is_empty()
    }
}

/// Whether a task's next poll is one without a P: the last one held up a P, or it is
/// the first and those of its siblings do.
#[inline]
pub(crate) fn is_due(m: &M, gp: &ReadyG) -> bool {
    m.sched.config.handoff && judge(&m.sched, gp)
}

pub(crate) fn judge(sched: &Sched, gp: &ReadyG) -> bool {
    let header = gp.header();
    if header.park.take_new()
        && let Some(computes) = sched.suspects.find(header.spawn_loc)
    {
        header.park.set_suspect();
        header.park.set_holds_up(true);
        header.park.set_computes(computes);
    }
    header.park.holds_up()
}

/// The last poll of this task held up a P, so this one gets none: it would only
/// be taken away again, after others have waited behind it. If they do, an idle M
/// polls the task and this one goes on with them: the kernel favours a thread
/// that has slept much over one that has computed.
pub(crate) fn set_aside(m: &M, gp: ReadyG) {
    let sched = &m.sched;
    let pp = m.must_p();
    pp.tick();
    pp.stats.polls.add(1);
    sched.handoffs.add_shared(1);
    let gp = match gp.header().park {
        ref park if park.computes() && !park.has_turn() => match enter(m, gp) {
            Some(gp) => gp,
            None => return,
        },
        _ => gp,
    };
    let others = pp.has_work() || !sched.injector.is_empty();
    let gp = if others { start(sched, gp) } else { Some(gp) };
    if let Some(gp) = gp {
        m.shared.is_to_poll(gp.header());
        let pp = m.release_p();
        m.shared.fence.lose();
        handoff_p(sched, pp);
        execute(m, gp);
    }
}

/// Whether an M that has just computed without a P should leave the tasks to
/// others: the kernel would let it wait, and them with it. Whoever made tasks
/// runnable has woken somebody; the look at the queue is for the case that no
/// thread could be had.
pub(crate) fn rests(m: &M) -> bool {
    m.was_aside.replace(false) && m.sched.injector.is_empty()
}

/// An M that was woken without a P: for a task that was set aside, or to end.
pub(crate) fn poll(m: &M) -> bool {
    let Some(gp) = take(m) else {
        return false;
    };
    m.shared.fence.lose();
    execute(m, gp);
    true
}

/// Polls tasks that hold up a P, without one: this task until it waits, and those
/// that wait for its turn.
pub(crate) fn execute(m: &M, gp: ReadyG) {
    let mut at = Some(gp);
    while let Some(gp) = at {
        let had_turn = gp.header().park.has_turn();
        if had_turn {
            gp.header().park.set_turn(false);
        }
        let again = execute::poll_once(m, gp, false);
        at = next(m, had_turn, again);
    }
    m.shared.goid.store(0, Ordering::Release); // ord: as in execute
}

/// A task that computes asks for a turn. None: it waits in the queue. The caller has
/// the right to run it, on an M.
pub(crate) fn enter(m: &M, gp: ReadyG) -> Option<ReadyG> {
    let sched = &*m.sched;
    let mut turns = lock(&sched.turns.inner);
    if sched.is_closing() {
        return Some(gp);
    }
    if turns.running >= sched.procs() {
        list(m, &gp);
        turns.queue.push_back(gp);
        return None;
    }
    turns.running += 1;
    gp.header().park.set_turn(true);
    Some(gp)
}

/// A poll without a P has ended; `again` is its task if that wants to go on at once.
/// What the M polls next, if anything.
pub(crate) fn next(m: &M, had_turn: bool, again: Option<ReadyG>) -> Option<ReadyG> {
    if !had_turn {
        return match again {
            Some(gp) if gp.header().park.computes() => enter(m, gp),
            other => other,
        };
    }
    let sched = &*m.sched;
    let mut turns = lock(&sched.turns.inner);
    if let Some(gp) = again {
        if sched.is_closing() {
            turns.running -= 1;
            return Some(gp);
        }
        list(m, &gp);
        turns.queue.push_back(gp);
    }
    let Some(next) = turns.queue.pop_front() else {
        turns.running -= 1;
        return None;
    };
    turns.moved = 0;
    next.header().park.set_turn(true);
    Some(next)
}

/// sysmon's look: a queue that has not moved for long gets one more turn.
pub(crate) fn hurry(sched: &Arc<Sched>, now: u64) {
    let gp = {
        let mut turns = lock(&sched.turns.inner);
        if turns.queue.is_empty() {
            return;
        }
        if turns.moved == 0 {
            turns.moved = now;
        }
        if now - turns.moved < STUCK {
            return;
        }
        turns.moved = now;
        let Some(gp) = turns.queue.pop_front() else {
            return;
        };
        turns.running += 1;
        gp.header().park.set_turn(true);
        gp
    };
    sched.injector.push(gp);
    wake_p(sched);
}

/// The runtime ends: the tasks go to the Ps, to be cancelled there.
pub(crate) fn flush(sched: &Arc<Sched>) {
    let queue = std::mem::take(&mut lock(&sched.turns.inner).queue);
    sched.injector.push_all(queue);
    wake_p(sched);
}

/// Lists a task that may have no other trace while it is queued.
fn list(m: &M, gp: &ReadyG) {
    execute::list(m, gp.as_ptr());
}

/// Hands a task that holds up its P to an idle M, which polls it without one.
/// Comes back if no M is idle.
pub(crate) fn start(sched: &Sched, gp: ReadyG) -> Option<ReadyG> {
    let idle = sched.lock().inner.midle.pop();
    let Some(idle) = idle else { return Some(gp) };
    {
        let mut inbox = lock(&idle.inbox);
        idle.is_to_poll(gp.header());
        inbox.tasks.push_back(gp);
    }
    idle.start_with(None, false);
    None
}

/// The task that an M without a P was woken for.
pub(crate) fn take(m: &M) -> Option<ReadyG> {
    lock(&m.shared.inbox).tasks.pop_front()
}

/// After a poll that ended without a P: what that says about the next one.
#[cold]
pub(crate) fn note_manner(m: &M, header: &Header, aside: bool) {
    let now = m.sched.real_nanotime();
    let long = if aside {
        let (time, gives_way) = m.aside.end(now);
        let long = time >= SHORT && !gives_way;
        if long && !m.sched.go117() {
            let computes = m.aside.computed(time);
            header.park.set_computes(computes);
            m.sched.suspects.accuse(header.spawn_loc, computes);
        }
        if header.park.take_suspect() && !long {
            m.sched.suspects.acquit(header.spawn_loc);
        }
        long
    } else {
        let since = m.shared.held_up.swap(0, Ordering::Relaxed); // ord: set before the P was taken
        since != 0 && now - since >= SHORT
    };
    header.park.set_holds_up(long);
    m.was_aside.set(long);
}
