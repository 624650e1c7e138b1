//! Cooperative preemption that mirrors Go's stack-bound check (R-PREEMPT-1…7).
//!
//! Each M has a word `stackguard0`. Every gmp leaf compares the stack pointer
//! with it: one relaxed load, one compare. sysmon poisons the word after a time
//! slice, the compare fails, and the slow path finds out why: the task gives way
//! to the tail of the global queue; or its stack is really about to end, which
//! becomes a panic of that task and not the death of the process.

use std::cell::Cell;
use std::task::{Context, Poll};

use crate::m::{self, M, MShared, YieldAs};
use crate::p::P;
use crate::sync::Ordering;

/// Above every stack: each compare fails.
const POISON: usize = usize::MAX;
/// As the poison, in a poll without a P: sysmon does not watch it, so it looks at
/// the clock itself.
const WATCH: usize = usize::MAX - 1;

thread_local! {
    static UNCONSTRAINED: Cell<u32> = const { Cell::new(0) };
}

/// Asks whoever runs on `mp` to give way (R-PREEMPT-1). Best effort: it may hit
/// the next task, which loses nothing but its turn.
pub(crate) fn preempt_one(pp: &P, mp: &MShared) {
    pp.preempt.store(true, Ordering::Release); // ord: sticky; read by the P's owner
    poison(mp);
}

/// Asks the present poll of `mp`, which may have no P.
pub(crate) fn poison(mp: &MShared) {
    mp.stackguard0.store(POISON, Ordering::Release); // ord: a hint to the running poll
}

/// The M begins a poll with a clean guard (R-SCHED-4).
#[inline]
pub(crate) fn arm(m: &M, shared: &MShared) {
    shared.stackguard0.store(m.stack_floor, Ordering::Relaxed); // ord: own word; a poison that is lost comes again
}

/// Keeps a task that is asked in every poll from standing still. Go's goroutine
/// goes on where it was stopped; a future starts its poll again, and one that
/// takes a slice to reach its leaf would never get past the check of that leaf.
/// So two checks pass though they were to fail: the first after a poll that gave
/// way, and the one after a leaf that waits, since the poll is on its way out and
/// the leaves beside that one want their turn too.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    passes: Cell<bool>,
}

impl Progress {
    /// A poll begins of a task whose last one gave way, or did not.
    #[inline]
    pub(crate) fn begin(&self, gave_way: bool) {
        self.passes.set(gave_way);
    }

    /// A leaf returns Pending.
    #[inline]
    pub(crate) fn leaf_waits(&self) {
        self.passes.set(true);
    }
}

/// What a poll that began without a P has told by its checks.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    began: Cell<u64>,
    /// When its slice began.
    since: Cell<u64>,
    checked: Cell<u64>,
    gives_way: Cell<bool>,
    work: Cell<Work>,
}

/// What a thread has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    /// Time on a core, in nanoseconds.
    cpu: u64,
    /// How often it has gone to sleep in the kernel.
    sleeps: u64,
}

impl Aside {
    /// The time between two checks of a task that can be asked, so that it need
    /// not be kept from the Ps.
    const NEAR: u64 = 1_000_000;

    /// How long the poll took, and whether it was asked and the check came soon:
    /// then it does not hold up a P for long.
    pub(crate) fn end(&self, now: u64) -> (u64, bool) {
        (now - self.began.get(), self.gives_way.get())
    }

    /// Whether the poll of that length was one of computing and not of waiting. Its
    /// time on a core tells, as far as others left it one; and it never slept.
    pub(crate) fn computed(&self, time: u64) -> bool {
        let (before, now) = (self.work.get(), thread_work());
        now.cpu - before.cpu >= Self::NEAR.min(time) && now.sleeps == before.sleeps
    }

    /// At a check: whether the slice is over. The first check passes: behind it
    /// may be the leaf that the task waits in.
    fn slice_is_over(&self, now: u64, slice: u64) -> bool {
        let before = self.checked.replace(now);
        let over = before != 0 && now - self.since.get() >= slice;
        if over {
            self.since.set(now);
        }
        self.gives_way.set(over && now - before < Self::NEAR);
        over
    }
}

/// The M begins a poll without a P.
pub(crate) fn arm_aside(m: &M) {
    m.aside.began.set(m.sched.real_nanotime());
    m.aside.since.set(m.aside.began.get());
    m.aside.checked.set(0);
    m.aside.gives_way.set(false);
    m.aside.work.set(thread_work());
    m.shared.stackguard0.store(WATCH, Ordering::Relaxed); // ord: own word
}

/// The check of a leaf, before it does anything (R-PREEMPT-2). Pending: the task
/// is already marked to run again; the leaf returns Pending and has registered
/// nothing.
#[inline]
pub(crate) fn poll_check(cx: &mut Context<'_>) -> Poll<()> {
    let here = 0_u8;
    let sp = std::ptr::from_ref(&here).addr();
    m::with_current(|m| match m {
        // ord: a hint; see preempt_one
        Some(m) if sp < m.shared.stackguard0.load(Ordering::Relaxed) => morestack(m, sp, cx),
        _ => Poll::Ready(()),
    })
}

#[cold]
fn morestack(m: &M, sp: usize, cx: &mut Context<'_>) -> Poll<()> {
    if m.curg.get().is_null() {
        return Poll::Ready(());
    }
    assert!(
        sp >= m.stack_floor,
        "gmp: a task is about to overflow its stack: box the recursive future or raise \
         Builder::thread_stack_size"
    );
    // In a blocking section or in a nested block_on the task cannot give way.
    if UNCONSTRAINED.get() > 0 || m.shared.syscalls.load(Ordering::Relaxed) > 0 {
        return Poll::Ready(()); // ord: own word
    }
    if m.progress.passes.take() {
        return Poll::Ready(()); // the poison stays for the next check
    }
    // The answer is the end of the request: the poll may go on, in a block_on of
    // somebody else's, and would get no further. If it goes on, sysmon asks again.
    let slice = m.sched.config.time_slice;
    if m.shared.stackguard0.load(Ordering::Relaxed) == WATCH
        && !m.aside.slice_is_over(m.sched.real_nanotime(), slice)
    {
        return Poll::Ready(()); // ord: own word, or a poison that came late
    }
    if m.shared.stackguard0.load(Ordering::Relaxed) == POISON {
        m.aside.since.set(m.sched.real_nanotime());
        let guard = match m.shared.p.load(Ordering::Relaxed) {
            0 => WATCH,
            _ => m.stack_floor, // ord: a hint; sysmon or the clock asks again
        };
        m.shared.stackguard0.store(guard, Ordering::Relaxed); // ord: as arm
    }
    m.yield_as.set(YieldAs::Preempt);
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Whether the running task was asked to give way.
pub(crate) fn wanted() -> bool {
    m::with_current(|m| {
        m.is_some_and(|m| {
            // ord: a hint
            !m.curg.get().is_null() && m.shared.stackguard0.load(Ordering::Relaxed) == POISON
        })
    })
}

/// Runs `f`, in which no leaf gives way.
pub(crate) fn unconstrained<R>(f: impl FnOnce() -> R) -> R {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            UNCONSTRAINED.set(UNCONSTRAINED.get() - 1);
        }
    }
    UNCONSTRAINED.set(UNCONSTRAINED.get() + 1);
    let _restore = Restore;
    f()
}

pub(crate) use os::{stack_floor, stack_holds, thread_id};

use os::thread_work;

/// What only the operating system knows of a thread.
#[cfg(target_os = "linux")]
mod os {
    #![expect(
        unsafe_code,
        reason = "asks libc for the thread's stack and its use of the cores"
    )]

    use std::ops::Range;

    use super::Work;

    /// What a panic and its unwinding need.
    const MARGIN: usize = 32 * 1024;

    /// The lowest address that leaves room for a panic. Asked once a thread: for
    /// the main thread the answer is read from a file.
    pub(crate) fn stack_floor() -> usize {
        STACK.with(|stack| stack.start)
    }

    /// Whether the address is one of the calling thread's stack, above the floor.
    pub(crate) fn stack_holds(address: usize) -> bool {
        STACK.with(|stack| stack.contains(&address))
    }

    thread_local! {
        static STACK: Range<usize> = ask();
    }

    fn ask() -> Range<usize> {
        let mut attr = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: plain call.
        let me = unsafe { libc::pthread_self() };
        // SAFETY: fills `attr` for the calling thread, or fails.
        if unsafe { libc::pthread_getattr_np(me, attr.as_mut_ptr()) } != 0 {
            return 0..0;
        }
        let (mut low, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: initialised above; the two places are valid.
        let got =
            unsafe { libc::pthread_attr_getstack(attr.as_ptr(), &raw mut low, &raw mut size) };
        // SAFETY: initialised above and not used again.
        unsafe { libc::pthread_attr_destroy(attr.as_mut_ptr()) };
        if got == 0 {
            low.addr() + MARGIN.min(size / 4)..low.addr() + size
        } else {
            0..0
        }
    }

    /// What the calling thread has done.
    pub(super) fn thread_work() -> Work {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: fills `usage` for the calling thread, or fails.
        if unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) } != 0 {
            return Work::default();
        }
        // SAFETY: filled above.
        let usage = unsafe { usage.assume_init() };
        let nanos =
            |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
        Work {
            cpu: nanos(usage.ru_utime) + nanos(usage.ru_stime),
            sleeps: usage.ru_nvcsw as u64,
        }
    }

    /// The kernel's number of the thread.
    pub(crate) fn thread_id() -> i32 {
        rustix::thread::gettid().as_raw_nonzero().get()
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    /// Not known here: nobody is taken for one that computes.
    pub(super) fn thread_work() -> super::Work {
        super::Work::default()
    }

    /// Not known here: the guard only ever holds the poison.
    pub(crate) fn stack_floor() -> usize {
        0
    }

    /// Not known here: no stack is walked from outside.
    pub(crate) fn stack_holds(_address: usize) -> bool {
        false
    }

    /// Not needed where thread states are not read.
    pub(crate) fn thread_id() -> i32 {
        0
    }
}
