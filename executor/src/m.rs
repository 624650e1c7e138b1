//! M: an OS thread, and how it gets and gives up a P (R-P-2, 5, 6, 7, 9, 11).
//!
//! `MShared` is what others see of an M; `M` lives on the thread's own stack and
//! is reached through one thread-local pointer. An M inside a poll gets at its P
//! only through [`M::with_p`], and the answer may be "no P".

#![expect(
    unsafe_code,
    reason = "follows the thread's pointer to its M and the M's pointer to its P"
)]

mod inbox;
mod now;
mod task;

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::task::Waker;

pub(crate) use self::inbox::Inbox;
use self::task::CurG;

use crate::fence::PFence;
use crate::g::{Header, TaskRef};
use crate::gfree::GFree;
use crate::p::{P, PRUNNING};
use crate::park::Note;
use crate::polltick::PollTick;
use crate::probe::{self, Leaf, Select};
use crate::rand::Rand;
use crate::ready::Manner;
use crate::sched::{EXITING, Sched, SchedGuard};
use crate::steal::StealOrder;
use crate::sync::{
    Arc, AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Mutex, Ordering, lock,
};
use crate::{preempt, prelude, proc, stw, throw};

/// What other threads see of an M.
pub(crate) struct MShared {
    pub(crate) id: u32,
    pub(crate) note: Note,
    /// The P that a starter hands over, id plus 1.
    nextp: AtomicU32,
    /// Whether it starts as a spinning M.
    next_spinning: AtomicBool,
    pub(crate) fence: PFence,
    /// The P it has, id plus 1; for whoever takes it.
    pub(crate) p: AtomicU32,
    /// Tells a long poll from many short ones.
    pub(crate) polltick: PollTick,
    /// The bound of the stack check, or its poison (preempt.rs).
    pub(crate) stackguard0: AtomicUsize,
    /// The floor of its thread's stack and the address of its `M` on it, between
    /// which its polls are; 0: it is on a stack that we do not know.
    pub(crate) stack: (AtomicUsize, AtomicUsize),
    /// Depth of blocking sections (syscall.rs).
    pub(crate) syscalls: AtomicU32,
    /// Where the outermost of them, or the last one, was called.
    pub(crate) section: AtomicPtr<Location<'static>>,
    pub(crate) tid: AtomicI32,
    /// The task it polls; for dumps.
    pub(crate) goid: AtomicU64,
    /// Where that task was spawned; for sysmon's report.
    pub(crate) spawn_loc: AtomicPtr<Location<'static>>,
    /// Where its thread keeps the task that it polls, once it has polled.
    polled: AtomicPtr<CurG>,
    /// When the present poll began whose P sysmon takes, or has taken; 0: none.
    pub(crate) held_up: AtomicU64,
    /// Tasks that only this M may poll, and whether it waits for one.
    pub(crate) inbox: Mutex<Inbox>,
}

impl MShared {
    fn new(id: u32) -> MShared {
        MShared {
            id,
            note: Note::new(),
            nextp: AtomicU32::new(0),
            next_spinning: AtomicBool::new(false),
            fence: PFence::new(),
            p: AtomicU32::new(0),
            polltick: PollTick::new(),
            stackguard0: AtomicUsize::new(0),
            stack: (AtomicUsize::new(0), AtomicUsize::new(0)),
            syscalls: AtomicU32::new(0),
            section: AtomicPtr::new(ptr::null_mut()),
            tid: AtomicI32::new(0),
            goid: AtomicU64::new(0),
            spawn_loc: AtomicPtr::new(ptr::null_mut()),
            polled: AtomicPtr::new(ptr::null_mut()),
            held_up: AtomicU64::new(0),
            inbox: Mutex::new(Inbox::default()),
        }
    }

    /// Hands a P over and wakes the M. The caller took the M off the idle list,
    /// or found it waiting for its own tasks.
    pub(crate) fn start_with(&self, pp: Option<&P>, spinning: bool) {
        self.next_spinning.store(spinning, Ordering::Relaxed); // ord: the note publishes it
        self.nextp
            .store(pp.map_or(0, |p| p.id + 1), Ordering::Relaxed); // ord: as above
        self.note.wake();
    }
}

/// How a task that goes on running wants to be queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum YieldAs {
    No,
    /// To the global tail, by its own wish (R-G-10).
    Gosched,
    /// To the global tail, because it was asked (R-PREEMPT-3).
    Preempt,
    /// To the own tail (R-G-11).
    Goyield,
}

/// An M as its own thread sees it.
pub(crate) struct M {
    pub(crate) sched: Arc<Sched>,
    pub(crate) shared: Arc<MShared>,
    p: Cell<*const P>,
    /// The M of another runtime whose task this thread polls meanwhile.
    beneath: Cell<*const M>,
    pub(crate) spinning: Cell<bool>,
    pub(crate) rand: Rand,
    pub(crate) curg: CurG,
    pub(crate) yield_as: Cell<YieldAs>,
    /// How the next wake of the running task goes.
    pub(crate) manner: Cell<Manner>,
    pub(crate) leaf: Cell<Leaf>,
    pub(crate) select: Cell<Select>,
    /// Whether somebody wants to be told of each poll.
    pub(crate) hooked: bool,
    /// An address in the frame of the present poll's caller, while stacks are wanted.
    pub(crate) poll_frame: Cell<usize>,
    /// What keeps a task that is asked again and again from standing still.
    pub(crate) progress: preempt::Progress,
    /// Lowest address that a stack check lets pass.
    pub(crate) stack_floor: usize,
    /// The scratch list of wakers that timers and netpoller fill.
    pub(crate) wakers: RefCell<Vec<Waker>>,
    pub(crate) gfree: GFree,
    /// The clock as read in this scheduling round; 0: not yet.
    pub(crate) now: Cell<u64>,
    /// Tasks of `spawn_local`, while this thread is in `block_on`.
    pub(crate) locals: RefCell<Vec<TaskRef>>,
    /// Whether the thread belongs to a `block_on`.
    pub(crate) attached: bool,
    /// How many more times this M looks around for a moment before it sleeps.
    pub(crate) patience: Cell<u32>,
    /// The order in which this M visits other Ps.
    pub(crate) order: RefCell<StealOrder>,
    /// The schedtick at which this M last looked at the netpoller in passing.
    pub(crate) net_tick: Cell<u32>,
    /// Whether a look at the netpoller before the steal is likely to find nothing.
    pub(crate) polls_in_vain: Cell<bool>,
    /// Whether the last task ran in the slice of the one before it.
    pub(crate) inherited: Cell<bool>,
    /// The present poll, if it began without a P.
    pub(crate) aside: preempt::Aside,
    /// Whether the last poll was a long one without a P.
    pub(crate) was_aside: Cell<bool>,
}

thread_local! {
    static CURRENT: Cell<*const M> = const { Cell::new(ptr::null()) };
}

/// Whether this thread serves `sched`, if only beneath the M of another runtime.
pub(crate) fn serves(sched: &Arc<Sched>) -> bool {
    let mut m = CURRENT.with(Cell::get);
    // SAFETY: as in with_current; the Ms beneath live further down this stack.
    while let Some(here) = unsafe { m.as_ref() } {
        if Arc::ptr_eq(&here.sched, sched) {
            return true;
        }
        m = here.beneath.get();
    }
    false
}

/// Calls `f` with this thread's M, if it is one.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&M>) -> R) -> R {
    let m = CURRENT.with(Cell::get);
    // SAFETY: the pointer is set for the time that the M lives on this thread's
    // stack (Entered), and `f` cannot keep the reference.
    f(unsafe { m.as_ref() })
}

/// Marks a wake of the running task by itself. False: it is another's wake.
#[inline]
pub(crate) fn note_self_wake(task: NonNull<Header>) -> bool {
    with_current(|m| match m {
        Some(m) if ptr::eq(m.curg.get(), task.as_ptr()) => {
            if m.yield_as.get() == YieldAs::No {
                m.yield_as.set(YieldAs::Goyield);
            }
            true
        }
        _ => false,
    })
}

/// Sets this thread's M until dropped; M's of other runtimes nest.
pub(crate) struct Entered {
    before: *const M,
}

impl Entered {
    pub(crate) fn new(m: &M) -> Entered {
        let before = CURRENT.with(|c| c.replace(m));
        m.beneath.set(before);
        m.publish_curg();
        let here = ptr::from_ref(m).addr();
        if preempt::stack_holds(here) {
            let (floor, end) = &m.shared.stack;
            floor.store(m.stack_floor, Ordering::Relaxed); // ord: before this M has polled
            end.store(here, Ordering::Relaxed); // ord: as above
        }
        Entered { before }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|c| c.set(self.before));
    }
}

impl M {
    pub(crate) fn new(sched: Arc<Sched>, shared: Arc<MShared>, attached: bool) -> M {
        let rand = Rand::new(sched.config.seed, u64::from(shared.id));
        let hooked = sched.hooks.poll_start.is_some() || sched.hooks.poll_stop.is_some();
        shared.tid.store(preempt::thread_id(), Ordering::Relaxed); // ord: before this M has a P
        M {
            sched,
            shared,
            p: Cell::new(ptr::null()),
            beneath: Cell::new(ptr::null()),
            spinning: Cell::new(false),
            rand,
            curg: CurG::new(),
            yield_as: Cell::new(YieldAs::No),
            manner: Cell::default(),
            leaf: Cell::new(Leaf::NONE),
            select: Cell::new(Select::NONE),
            hooked,
            poll_frame: Cell::new(0),
            stack_floor: preempt::stack_floor(),
            wakers: RefCell::new(Vec::new()),
            now: Cell::new(0),
            locals: RefCell::new(Vec::new()),
            attached,
            patience: Cell::new(0),
            order: RefCell::new(StealOrder::default()),
            gfree: GFree::new(),
            net_tick: Cell::new(u32::MAX),
            inherited: Cell::new(false),
            polls_in_vain: Cell::new(false),
            aside: preempt::Aside::default(),
            progress: preempt::Progress::default(),
            was_aside: Cell::new(false),
        }
    }

    /// The P of an M that is in the scheduler.
    pub(crate) fn p(&self) -> Option<&P> {
        debug_assert!(
            self.shared.fence.in_runtime(),
            "gmp: P used outside a section"
        );
        // SAFETY: Ps live as long as the Sched, which this M keeps alive.
        unsafe { self.p.get().as_ref() }
    }

    /// The P of an M that must have one.
    #[track_caller]
    pub(crate) fn must_p(&self) -> &P {
        self.p().expect("gmp: an M in the scheduler without a P")
    }

    /// From anywhere: uses the P, if this M still has it. No code of the user's in `f`!
    #[inline]
    pub(crate) fn with_p<R>(&self, f: impl FnOnce(Option<&P>) -> R) -> R {
        let fence = &self.shared.fence;
        let within = fence.in_runtime();
        let owned = within || fence.enter();
        let result = f(if owned { self.p() } else { None });
        if !within {
            fence.leave();
        }
        result
    }

    /// In the scheduler: makes `pp`, which nobody has, this M's P (R-P-2).
    pub(crate) fn acquire_p(&self, pp: &P) {
        assert!(self.p.get().is_null(), "gmp: acquirep: this M has a P");
        debug_assert_eq!(
            pp.m.load(Ordering::Relaxed),
            0,
            "gmp: acquirep: the P has an M"
        );
        self.shared.fence.reset();
        self.p.set(pp);
        self.shared.p.store(pp.id + 1, Ordering::Release); // ord: before the next begin_poll
        pp.m.store(self.shared.id + 1, Ordering::Release); // ord: sysmon finds the M by it
        pp.set_status(PRUNNING);
        prelude::before_poll();
    }

    /// In the scheduler: gives the P up; the caller decides where it goes.
    pub(crate) fn release_p(&self) -> &P {
        let pp = self.must_p();
        self.p.set(ptr::null());
        self.shared.p.store(0, Ordering::Release); // ord: a taker looks again
        pp.m.store(0, Ordering::Release); // ord: as above
        pp
    }

    /// In the scheduler: the P was taken away during the last poll. A snapshot that is
    /// looking at the task of that poll is let finish: see [`MShared::look_at_poll`].
    pub(crate) fn forget_p(&self) {
        self.p.set(ptr::null());
        drop(lock(&self.sched.allm));
    }

    /// In the scheduler: takes an idle P, if there is one.
    pub(crate) fn try_acquire_idle(&self) -> bool {
        let pp = self.sched.lock().pidle_get();
        if let Some(pp) = pp {
            self.acquire_p(pp);
        }
        pp.is_some()
    }

    /// Tasks of `spawn_local` that have not ended.
    pub(crate) fn live_locals(&self) -> u64 {
        let locals = self.locals.borrow();
        locals
            .iter()
            .filter(|g| !g.header().state.load().is_dead())
            .count() as u64
    }
}

/// Registers a new M for the calling thread, beside the worker threads.
pub(crate) fn attach(sched: &Arc<Sched>) -> Arc<MShared> {
    let id = {
        let mut guard = sched.lock();
        guard.inner.mcount += 1;
        guard.inner.guests += 1;
        guard.inner.next_mid += 1;
        guard.inner.next_mid
    };
    list(sched, id)
}

/// The end of what [`attach`] began.
pub(crate) fn detach_guest(sched: &Sched, shared: &MShared) {
    sched.lock().inner.guests -= 1;
    detach(sched, shared);
}

fn list(sched: &Sched, id: u32) -> Arc<MShared> {
    let shared = Arc::new(MShared::new(id));
    lock(&sched.allm).push(shared.clone());
    shared
}

/// The end of an M: it has no P and is on no list.
pub(crate) fn detach(sched: &Sched, shared: &MShared) {
    lock(&sched.allm).retain(|m| m.id != shared.id);
    sched.lock().inner.mcount -= 1;
}

/// Starts an M with `pp`, or with an idle P (R-P-5). If the caller raised the
/// spinning count for this M, `spinning` says so, and every failure lowers it.
pub(crate) fn start_m(sched: &Arc<Sched>, pp: Option<&P>, spinning: bool) {
    let mut guard = sched.lock();
    let pp = match pp {
        Some(pp) => pp,
        None => {
            let got = if spinning {
                guard.pidle_get_spinning()
            } else {
                guard.pidle_get()
            };
            match got {
                Some(pp) => pp,
                None => {
                    if spinning {
                        sched.idle.undo_spinning();
                    }
                    return;
                }
            }
        }
    };
    if let Some(idle) = guard.inner.midle.pop() {
        drop(guard);
        idle.start_with(Some(pp), spinning);
        return;
    }
    if guard.inner.mcount - guard.inner.guests >= sched.config.max_threads {
        let warn = !std::mem::replace(&mut guard.inner.warned_exhausted, true);
        give_back(sched, guard, pp, spinning);
        if warn {
            tracing::warn!(
                target: "gmp::sched",
                max_threads = sched.config.max_threads,
                "every thread is in use: runnable tasks wait until one is free",
            );
        }
        return;
    }
    // Counted before the lock goes: nobody may take this moment for the last.
    guard.inner.mcount += 1;
    guard.inner.next_mid += 1;
    let id = guard.inner.next_mid;
    drop(guard);
    if let Err(error) = new_m(sched, id, pp, spinning) {
        sched.thread_failures.add_shared(1);
        tracing::warn!(target: "gmp::sched", %error, "no thread could be started; sysmon tries again");
        let mut guard = sched.lock();
        guard.inner.mcount -= 1;
        give_back(sched, guard, pp, spinning);
    }
}

/// Nobody can run `pp`: its tasks go to the injector and it goes idle. sysmon
/// starts an M as soon as one can be had.
fn give_back(sched: &Sched, mut guard: SchedGuard<'_>, pp: &P, spinning: bool) {
    pp.drain(|gp| sched.injector.push(gp));
    if spinning {
        sched.idle.undo_spinning();
    }
    guard.pidle_put(pp);
    sched.idle.set_need_spinning();
}

/// Creates the thread of a new M, which starts with `pp`.
fn new_m(sched: &Arc<Sched>, id: u32, pp: &P, spinning: bool) -> std::io::Result<()> {
    let shared = list(sched, id);
    shared.next_spinning.store(spinning, Ordering::Relaxed); // ord: thread creation publishes it
    shared.nextp.store(pp.id + 1, Ordering::Relaxed); // ord: as above
    let mut builder =
        std::thread::Builder::new().name(format!("{}-{id}", sched.config.thread_name));
    if let Some(size) = sched.config.stack_size {
        builder = builder.stack_size(size);
    }
    let main = (sched.clone(), shared.clone());
    let main = move || throw::or_throw(&main.0.clone(), || thread_main(main.0, main.1));
    match builder.spawn(gmp_reactor::starting(main)) {
        Ok(thread) => {
            let mut guard = sched.lock();
            // Ended threads would pile up under a keep-alive.
            guard.inner.threads.retain(|t| !t.is_finished());
            guard.inner.threads.push(thread);
            Ok(())
        }
        Err(error) => {
            lock(&sched.allm).retain(|m| m.id != id);
            Err(error)
        }
    }
}

fn thread_main(sched: Arc<Sched>, shared: Arc<MShared>) {
    if let Some(hook) = &sched.hooks.thread_start {
        prelude::while_starting(hook);
    }
    {
        let m = M::new(sched.clone(), shared.clone(), false);
        let _entered = Entered::new(&m);
        accept_next(&m);
        proc::schedule(&m);
    }
    detach(&sched, &shared);
    if let Some(hook) = &sched.hooks.thread_stop {
        probe::contain(hook);
    }
}

/// Takes over what a starter handed to this M. False: nothing, it was told to
/// end.
pub(crate) fn accept_next(m: &M) -> bool {
    let nextp = m.shared.nextp.swap(0, Ordering::Relaxed); // ord: the note orders it
    let spinning = m.shared.next_spinning.swap(false, Ordering::Relaxed); // ord: as above
    m.spinning.set(spinning);
    match nextp.checked_sub(1) {
        Some(id) => {
            m.acquire_p(m.sched.p(id));
            true
        }
        None => false,
    }
}

/// A sleep that was not worth it, in nanoseconds: waking a thread takes 40 µs on
/// a virtual machine, so the work came within the next 20.
const SHORT_SLEEP: u64 = 60_000;
/// What such a sleep is worth in short looks around (see `proc::linger`).
const PATIENCE: u32 = 2;

/// Parks an M without a P until a starter hands it one (R-P-6). False: the M
/// ends, at the runtime's end or after its keep-alive.
pub(crate) fn stop_m(m: &M) -> bool {
    debug_assert!(
        m.p().is_none() && !m.spinning.get(),
        "gmp: stopm with a P or spinning"
    );
    {
        let mut guard = m.sched.lock();
        if m.sched.phase() == EXITING {
            return false;
        }
        guard.inner.midle.push(m.shared.clone());
    }
    let asleep = m.sched.real_nanotime();
    while !m.shared.note.sleep_for(m.sched.config.keep_alive) {
        if m.sched.config.keep_alive.is_none() {
            continue;
        }
        let mut guard = m.sched.lock();
        if let Some(at) = guard
            .inner
            .midle
            .iter()
            .position(|idle| idle.id == m.shared.id)
        {
            guard.inner.midle.remove(at);
            return false;
        }
        // Somebody has taken us off the list and is about to wake us.
    }
    let awake = m.sched.real_nanotime();
    m.sched.set_coarse(awake); // sysmon may have slept as long
    let slept = awake - asleep;
    m.patience
        .set(if slept < SHORT_SLEEP { PATIENCE } else { 0 });
    accept_next(m)
}

/// The P's next place when its M cannot go on with it (R-P-7): an M, if there is
/// anything that `find_runnable` would find, else the idle list.
pub(crate) fn handoff_p(sched: &Arc<Sched>, pp: &P) {
    if pp.has_work() || !sched.injector.is_empty() {
        return start_m(sched, Some(pp), false);
    }
    let counts = sched.idle.counts();
    if counts.spinning + counts.idle == 0 && sched.idle.try_first_spinner() {
        return start_m(sched, Some(pp), true);
    }
    let mut guard = sched.lock();
    if stw::stop_handed_off(sched, &mut guard, pp) {
        return;
    }
    if !sched.injector.is_empty() || sched.idle.need_spinning() {
        drop(guard);
        return start_m(sched, Some(pp), false);
    }
    let polled = sched.lastpoll.load(Ordering::SeqCst) == 0; // ord: hint under the lock
    if !polled && guard.idle_ps() + 1 == sched.procs() as usize && sched.has_poll_work(pp) {
        drop(guard);
        return start_m(sched, Some(pp), false);
    }
    guard.pidle_put(pp);
    drop(guard);
    // Of every P: whoever waited for the idle ones' timers may be leaving.
    let when = sched.earliest_timer();
    if when != 0 {
        sched.wake_net_poller(when);
    }
    // This P was dropped unsearched: look again, as every dropper does.
    sched.idle.drop_fence();
    if proc::work_exists(sched) {
        wake_p(sched);
    }
}

/// Wakes one more M if a P is idle and nobody spins (R-SPIN-2): work is published.
#[inline]
pub(crate) fn wake_p(sched: &Arc<Sched>) {
    if sched.idle.must_wake() {
        start_m(sched, None, true);
    }
}
