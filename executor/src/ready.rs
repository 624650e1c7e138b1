//! Making tasks runnable: one at a time (`ready`), in batches (`inject_glist`),
//! and new ones (`spawn`).

#![expect(
    unsafe_code,
    reason = "counts the runtime of a task that is woken from outside"
)]

use std::cell::Cell;
use std::panic::Location;
use std::ptr::{self, NonNull};

use crate::fence;
use crate::g::cell::{self, Birth};
use crate::g::join::{self, JoinHandle};
use crate::g::refs::Released;
use crate::g::{Extra, Header, ReadyG, TaskRef};
use crate::latency::{sample, sample_here};
use crate::m::{self, M, start_m, wake_p};
use crate::p::P;
use crate::probe;
use crate::sched::Sched;
use crate::sync::{Arc, lock};

/// Queues a task that the caller has just made runnable (R-G-8): on this
/// thread's P, else in the injector.
pub(crate) fn ready(gp: ReadyG) {
    let sched = gp.header().sched;
    // SAFETY: the task is not dead, so its runtime is there.
    if unsafe { sched.as_ref() }.is_elsewhere() {
        return; // nobody will ever run it here
    }
    m::with_current(|m| match m {
        Some(m) if ptr::eq(Arc::as_ptr(&m.sched), sched.as_ptr()) => ready_here(m, gp),
        _ => ready_from_outside(gp),
    });
}

/// Queues a task whose state the caller has just made runnable through a
/// reference.
pub(crate) fn ready_won(task: &TaskRef) {
    // SAFETY: the caller won edge 6.
    ready(unsafe { ReadyG::from_ptr(task.ptr()) });
}

/// On an M of the task's own runtime.
pub(crate) fn ready_here(m: &M, gp: ReadyG) {
    let Some(gp) = send_home(&m.sched, gp, Some(m.shared.id)) else {
        return;
    };
    let announce = m.with_p(|pp| match pp {
        Some(pp) => {
            let next = m.manner.get().is_usual() || is_next(m, pp, &gp);
            runqput(&m.sched, pp, gp, next)
        }
        None => {
            m.sched.injector.push(gp);
            true
        }
    });
    if announce {
        wake_p(&m.sched);
    }
}

/// How an M makes the next task runnable. One thing to ask, for it is mostly as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner(u8);

impl Manner {
    /// The task goes to the tail (leaf.rs, `waking_last`).
    const LAST: u8 = 1;
    /// The time is taken (latency.rs).
    const TIMED: u8 = 2;

    #[inline]
    pub(crate) fn is_usual(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) fn is_timed(self) -> bool {
        self.0 & Manner::TIMED != 0
    }

    /// Returns what it was.
    pub(crate) fn set_last(manner: &Cell<Manner>, last: bool) -> bool {
        Manner::set(manner, Manner::LAST, last)
    }

    pub(crate) fn set_timed(manner: &Cell<Manner>, timed: bool) {
        Manner::set(manner, Manner::TIMED, timed);
    }

    fn set(manner: &Cell<Manner>, bit: u8, on: bool) -> bool {
        let before = manner.get().0;
        manner.set(Manner(if on { before | bit } else { before & !bit }));
        before & bit != 0
    }
}

/// Whether the task goes to the head, where the manner is not the usual one.
#[inline(never)]
fn is_next(m: &M, pp: &P, gp: &ReadyG) -> bool {
    sample_here(m, gp);
    // Behind nobody, the head is as good as the tail, and needs no announcement.
    m.manner.get().0 & Manner::LAST == 0 || pp.runq.is_empty()
}

/// On a thread that is no M of the task's runtime (R-SPIN-9).
#[cold]
fn ready_from_outside(gp: ReadyG) {
    let sched = gp.header().sched.as_ptr().cast_const();
    // SAFETY: the task is runnable and in our hands, so shutdown has not ended
    // and the runtime is there; it came from an Arc.
    unsafe { Arc::increment_strong_count(sched) };
    // SAFETY: the count was just raised.
    let sched = unsafe { Arc::from_raw(sched) };
    let Some(gp) = send_home(&sched, gp, None) else {
        return;
    };
    sample(&sched, &sched.outside, &gp);
    sched.injector.push(gp);
    wake_p(&sched);
}

/// A task that only one M may poll goes straight to it, if that M is awake or an
/// idle P can be sent along (R-P-11). Else it comes back and waits in a queue
/// for a P, as all others do.
#[inline]
fn send_home(sched: &Sched, gp: ReadyG, here: Option<u32>) -> Option<ReadyG> {
    match gp.header().home() {
        None => Some(gp),
        Some(_) => send_to_inbox(sched, gp, here),
    }
}

#[cold]
fn send_to_inbox(sched: &Sched, gp: ReadyG, here: Option<u32>) -> Option<ReadyG> {
    let Some(home) = gp.header().home().cloned() else {
        return Some(gp);
    };
    let mut inbox = lock(&home.inbox);
    if inbox.waiting && here != Some(home.id) {
        let Some(pp) = sched.lock().pidle_get() else {
            return Some(gp);
        };
        inbox.waiting = false;
        inbox.tasks.push_back(gp);
        drop(inbox);
        home.start_with(Some(pp), false);
    } else {
        inbox.tasks.push_back(gp);
        if inbox.polling {
            sched.reactor.wake();
        }
    }
    None
}

/// Puts a task in the queue of this M's P. True: somebody should be woken for
/// it. A task that is alone in `runnext` needs nobody: this P runs it next, and
/// waking a thread costs as much as some hundred polls. If the present poll goes
/// on for long, sysmon sees to it.
#[inline]
pub(crate) fn runqput(sched: &Sched, pp: &P, gp: ReadyG, next: bool) -> bool {
    match pp.runq.put(gp, next) {
        Ok(lone) => !lone || sched.go117(),
        Err(gp) => {
            pp.runq.spill(gp, |gp| sched.injector.push(gp));
            true
        }
    }
}

/// A task gives way to all others: it goes behind the global queue (R-G-10).
///
/// While every P is busy that is a place on its own P, which takes what is there with
/// the next batch of the global queue (`proc::local_or_global`). In the queue itself
/// tasks that yield would change from P to P all the time, and their memory with
/// them. An M that runs out of work finds them, as it finds what is in a ring. One
/// that looked a moment too early is woken when this P gets to them, or has its next
/// yielder, or when sysmon has handed the P on.
#[inline]
pub(crate) fn give_way(sched: &Arc<Sched>, pp: &P, gp: ReadyG) {
    let counts = sched.idle.counts();
    if counts.idle + counts.spinning > 0 {
        pp.yielded
            .take_some(usize::MAX, |gp| sched.injector.push(gp));
        sched.injector.push(gp);
        wake_p(sched);
    } else {
        pp.yielded.put(gp);
    }
}

/// Queues a batch that the netpoller or a stop gave (R-SPIN-9): spread over the
/// idle Ps first, the rest on the own P.
pub(crate) fn inject_glist(
    sched: &Arc<Sched>,
    pp: Option<&P>,
    list: impl ExactSizeIterator<Item = ReadyG>,
) {
    let sampler = pp.map_or(&sched.outside, |pp| &pp.sampler);
    let mut list = list.inspect(|gp| sample(sched, sampler, gp)).peekable();
    if list.peek().is_none() {
        return;
    }
    let idle = sched.idle.counts().idle as usize;
    let Some(pp) = pp else {
        let n = list.len();
        sched.injector.push_all(list);
        sched.idle.drop_fence(); // form F; partner: the droppers' second look
        for _ in 0..n.min(sched.idle.counts().idle as usize) {
            start_m(sched, None, false);
        }
        if !sched.go117() {
            wake_p(sched);
        }
        return;
    };
    let spread = list.len().min(idle);
    sched.injector.push_all(list.by_ref().take(spread));
    sched.idle.drop_fence(); // form F; as above
    for _ in 0..spread {
        start_m(sched, None, false);
    }
    pp.runq.put_batch(&mut list);
    sched.injector.push_all(list);
    if !sched.go117() {
        wake_p(sched);
    }
}

/// Creates a task and makes it runnable (R-G-5).
#[track_caller]
pub(crate) fn spawn<F>(
    sched: &Arc<Sched>,
    future: F,
    location: &'static Location<'static>,
    extra: Option<Box<Extra>>,
) -> JoinHandle<F::Output>
where
    F: Future,
{
    spawn_as::<F, false>(sched, future, location, extra)
}

/// As [`spawn`]; `BLOCKS`: the future is a closure that may block.
#[track_caller]
pub(crate) fn spawn_as<F, const BLOCKS: bool>(
    sched: &Arc<Sched>,
    future: F,
    location: &'static Location<'static>,
    extra: Option<Box<Extra>>,
) -> JoinHandle<F::Output>
where
    F: Future,
{
    sched.assert_here();
    m::with_current(|m| {
        let m = m.filter(|m| Arc::ptr_eq(&m.sched, sched));
        // SAFETY: the running task outlives the call that it makes.
        let parent = m.and_then(|m| unsafe { m.curg.get().as_ref() });
        // A spawn that is clearly too late is not counted, or a stream of them
        // would keep shutdown from ever seeing that no task is left.
        let late = sched.is_closing();
        // The others are counted before the phase is read for good: shutdown does
        // the opposite.
        let goid = if late {
            sched.foreign_goid()
        } else {
            count_spawn(sched, m)
        };
        let labels = parent.map_or(0, |g| g.park.labels());
        let extra = with_labels(extra, labels);
        let birth = Birth {
            sched: sched_ptr(sched),
            goid,
            parent: parent.map_or(0, |g| g.goid),
            spawn_loc: location,
            extra,
        };
        let task = cell::allocate::<F, BLOCKS>(future, birth);
        if labels != 0 {
            // SAFETY: just allocated.
            unsafe { task.as_ref() }.park.set_labels(labels);
        }
        fence::light_fence();
        let word = sched.word();
        // SAFETY: as above.
        probe::newborn(unsafe { task.as_ref() }, word);
        if late || word.is_closing() {
            // SAFETY: nobody has seen the task yet.
            unsafe { stillborn(task) };
            if !late {
                sched.cancelled.add_shared(1);
                count_end(sched, m);
            }
        } else {
            if let Some(hook) = &sched.hooks.task_spawn {
                probe::contain(|| hook(goid));
            }
            // SAFETY: a new task is runnable and not queued (edge 1).
            let gp = unsafe { ReadyG::from_ptr(task) };
            match m {
                Some(m) => ready_here(m, gp),
                None => {
                    sample(sched, &sched.outside, &gp);
                    sched.injector.push(gp);
                    wake_p(sched);
                }
            }
        }
        // SAFETY: allocated with this output; its first handle is this one.
        unsafe { JoinHandle::new(task) }
    })
}

/// The rare properties of a task that inherits these labels.
fn with_labels(mut extra: Option<Box<Extra>>, labels: u16) -> Option<Box<Extra>> {
    if labels != 0 {
        extra.get_or_insert_default().labels = labels;
    }
    extra
}

/// Creates a task that only `home` may poll. It is neither counted nor queued:
/// the caller, on the home thread, runs it.
pub(crate) fn spawn_at_home<F: Future>(
    sched: &Arc<Sched>,
    future: F,
    location: &'static Location<'static>,
    extra: Extra,
    goid: u64,
    parent: u64,
) -> (JoinHandle<F::Output>, ReadyG, TaskRef) {
    let labels = extra.labels;
    let birth = Birth {
        sched: sched_ptr(sched),
        goid,
        parent,
        spawn_loc: location,
        extra: Some(Box::new(extra)),
    };
    let task = cell::allocate::<F, false>(future, birth);
    // SAFETY: just allocated.
    let header = unsafe { task.as_ref() };
    header.park.set_labels(labels);
    probe::newborn(header, sched.word());
    // SAFETY: alive: it was just allocated.
    let reference = unsafe { TaskRef::new(task) };
    // SAFETY: allocated with this output; its first handle is this one.
    let handle = unsafe { JoinHandle::new(task) };
    // SAFETY: a new task is runnable and not queued.
    (handle, unsafe { ReadyG::from_ptr(task) }, reference)
}

fn sched_ptr(sched: &Arc<Sched>) -> NonNull<Sched> {
    NonNull::new(Arc::as_ptr(sched).cast_mut()).expect("an Arc is never null")
}

pub(crate) fn count_spawn(sched: &Sched, m: Option<&M>) -> u64 {
    let outside = || {
        sched.foreign_spawned.add_shared(1);
        sched.foreign_goid()
    };
    let Some(m) = m else { return outside() };
    m.with_p(|pp| match pp {
        Some(pp) => {
            pp.stats.spawned.add(1);
            pp.next_goid(&sched.goids)
        }
        None => outside(),
    })
}

pub(crate) fn count_end(sched: &Sched, m: Option<&M>) {
    match m {
        Some(m) => m.with_p(|pp| match pp {
            Some(pp) => pp.stats.finished.add(1),
            None => sched.foreign_finished.add_shared(1),
        }),
        None => sched.foreign_finished.add_shared(1),
    }
}

/// The runtime has shut down: the task ends before it began, its handle gives a
/// cancelled error.
///
/// # Safety
/// Nobody else has seen the task.
unsafe fn stillborn(task: NonNull<Header>) {
    // SAFETY: it has a handle, which the caller returns.
    let header = unsafe { task.as_ref() };
    let _ = header.state.begin_poll();
    // SAFETY: edge 2 was just taken.
    unsafe { (header.vtable.cancel)(task) };
    // SAFETY: as above.
    unsafe { join::complete(task) };
    let kept = header.refs.drop_alive();
    debug_assert_eq!(kept, Released::Kept);
}
