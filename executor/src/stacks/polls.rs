//! The stack of a poll that goes on and on, for a dump: its thread is asked by a
//! signal, and the handler walks the frames of what it has interrupted.
//!
//! Asked is only who can answer without harm: a thread in a poll that has lasted for
//! long or has no P, that computes. One that sleeps in the kernel is let sleep: the
//! end of its system call would be an error to whoever made it. (A call that begins
//! just then is begun again, by `SA_RESTART`, as far as the system does that.) The
//! signal is Go's, `SIGURG`: ignored by default, and debuggers let it pass.
//!
//! Invariants:
//! 1. The handler takes no lock, allocates nothing and makes no call but `getpid`. It
//!    writes into a slot that is there for ever, so it may come as late as it likes.
//! 2. A slot has a number for each question, which the signal carries. A handler
//!    writes if it can take the question of its number, ASKED to WRITING; who asked
//!    takes it back by the same exchange, and reads only what is DONE. So nobody
//!    reads while somebody writes, and a late answer is none to a later question.
//! 3. A signal that is not a question goes to the handler that was there before. Who
//!    installs one after us has the signal to itself: we ask no more.
//! 4. The walk reads between the stack pointer of what was interrupted and the
//!    thread's `M`, both of which lie in the stack that the system gave the thread.
//!    That part of it is in use and stays so while the handler runs, whatever the
//!    frame pointer holds. A poll that is on a stack of its own is not walked.

use std::cell::UnsafeCell;
use std::mem::{MaybeUninit, zeroed};
use std::ptr;
use std::time::{Duration, Instant};

use libc::{c_int, c_void, siginfo_t, ucontext_t};

use super::{DEEPEST, NO_POLL_STACKS, Stack, follow, has_frame_pointers};
use crate::fork::Process;
use crate::m::{self, MShared};
use crate::sched::Sched;
use crate::sync::{Arc, AtomicU32, AtomicUsize, Ordering, lock};
use crate::syscall::block_in_place;
use crate::sysmon;

/// So long a poll has lasted whose thread is asked.
const LONG: Duration = Duration::from_millis(5);
/// So long a dump waits for the answers. A thread that has no core has none.
const PATIENCE: Duration = Duration::from_millis(20);

/// The poll in which the thread was when it answered, and its stack.
pub(crate) fn of_long_polls(sched: &Sched) -> Vec<Stack> {
    // ord: a wish, to be seen some time soon
    if NO_POLL_STACKS.load(Ordering::Relaxed) || !has_frame_pointers() {
        return Vec::new();
    }
    let now = sched.real_nanotime();
    let own = m::with_current(|m| m.map(|m| m.shared.tid.load(Ordering::Relaxed))); // ord: own
    let mut asked: Vec<Asked> = Vec::new();
    for mp in lock(&sched.allm).iter() {
        let tid = mp.tid.load(Ordering::Relaxed); // ord: fixed for the thread's life
        let id = mp.goid.load(Ordering::Acquire); // ord: the poll began before
        let long = mp.polltick.age(now) >= LONG || mp.p.load(Ordering::Relaxed) == 0; // ord: hint
        let new = Some(tid) != own && asked.iter().all(|other| other.tid != tid);
        if id != 0 && tid != 0 && long && new && !mp.blocks() {
            asked.push(Asked {
                poll: Stack {
                    thread: mp.id,
                    id,
                    poll: mp.polltick.look(),
                    frames: Arc::default(),
                },
                mp: mp.clone(),
                tid,
            });
        }
    }
    asked.retain(|asked| computes(asked.tid));
    if asked.is_empty() {
        return Vec::new();
    }
    block_in_place(|| ask(asked))
}

/// Whether the thread is on a core or waits for one.
fn computes(tid: i32) -> bool {
    let stat = std::fs::read(format!("/proc/self/task/{tid}/stat"));
    stat.is_ok_and(|stat| !sysmon::sleeps(&stat))
}

struct Asked {
    poll: Stack,
    mp: Arc<MShared>,
    tid: i32,
}

fn ask(asked: Vec<Asked>) -> Vec<Stack> {
    let _one = lock(&Process::here().stacks.asking);
    if !install() {
        return Vec::new();
    }
    let mut open = Vec::new();
    for (index, asked) in (0..SLOTS.len()).zip(asked) {
        if let Some(question) = question(index, &asked) {
            open.push((index, question, asked.poll, asked.mp));
        }
    }
    let begun = Instant::now();
    let waits = |&(index, question, ..): &(usize, u32, Stack, _)| {
        // ord: looked at again below
        let state = SLOTS[index].state.load(Ordering::Relaxed);
        state == question | ASKED || state == question | WRITING
    };
    while open.iter().any(waits) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_micros(50));
    }
    let mut stacks = Vec::new();
    for (index, question, mut poll, mp) in open {
        poll.frames = answer(index, question).into();
        // The answer is of that poll if it goes on, and lies between two looks at it.
        if !poll.frames.is_empty() && mp.polls(poll.id) && mp.polltick.look().is_poll_of(poll.poll)
        {
            stacks.push(poll);
        }
    }
    stacks
}

/// A question to one thread and its answer.
struct Slot {
    /// The number of the question above, where it stands below.
    state: AtomicU32,
    /// What may be read: from the one to below the other.
    floor: AtomicUsize,
    end: AtomicUsize,
    len: AtomicUsize,
    frames: [AtomicUsize; DEEPEST],
}

static SLOTS: [Slot; 16] = [const { Slot::new() }; 16];

const STEP: u32 = 4;
const FREE: u32 = 0;
const ASKED: u32 = 1;
const WRITING: u32 = 2;
const DONE: u32 = 3;

impl Slot {
    const fn new() -> Slot {
        Slot {
            state: AtomicU32::new(0),
            floor: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            frames: [const { AtomicUsize::new(0) }; DEEPEST],
        }
    }
}

/// The upper bits of a signal's value that is a question of ours.
const MAGIC: usize = 0x676d_7000;

/// Asks; the number of the question. None: the slot is still written to, or the
/// thread is gone.
fn question(index: usize, asked: &Asked) -> Option<u32> {
    let slot = &SLOTS[index];
    let before = slot.state.load(Ordering::Acquire); // ord: the writer has left it
    if before % STEP == WRITING {
        return None;
    }
    let question = (before / STEP).wrapping_add(1).wrapping_mul(STEP);
    let (floor, end) = &asked.mp.stack;
    // ord: the state publishes them; the M's own from before its first poll
    slot.floor
        .store(floor.load(Ordering::Relaxed), Ordering::Relaxed);
    slot.end
        .store(end.load(Ordering::Relaxed), Ordering::Relaxed);
    // ord: publishes what may be read
    slot.state.store(question | ASKED, Ordering::Release);
    let value = (MAGIC + index) << 32 | (question | ASKED) as usize;
    if !send(asked.tid, value) {
        // ord: nobody was asked
        slot.state.store(question | FREE, Ordering::Relaxed);
        return None;
    }
    Some(question)
}

/// The answer, or nothing; the slot is free again, or its writer's.
fn answer(index: usize, question: u32) -> Vec<usize> {
    let slot = &SLOTS[index];
    // ord: what was written comes with DONE
    let taken_back = slot.state.compare_exchange(
        question | ASKED,
        question | FREE,
        Ordering::Acquire,
        Ordering::Acquire,
    );
    if taken_back != Err(question | DONE) {
        return Vec::new();
    }
    let len = slot.len.load(Ordering::Relaxed).min(DEEPEST); // ord: DONE published it
    let frames = slot.frames[..len].iter();
    frames.map(|at| at.load(Ordering::Relaxed)).collect() // ord: as above
}

/// Sends the signal with its value to one thread of this process.
fn send(tid: i32, value: usize) -> bool {
    /// The part of `siginfo_t` that a sender fills.
    #[repr(C)]
    struct Info {
        signal: c_int,
        errno: c_int,
        code: c_int,
        pad: c_int,
        pid: libc::pid_t,
        uid: libc::uid_t,
        value: usize,
    }
    #[repr(C)]
    union Whole {
        info: std::mem::ManuallyDrop<Info>,
        whole: MaybeUninit<siginfo_t>,
    }
    // SAFETY: all zeroes are a value of either part.
    let mut whole: Whole = unsafe { zeroed() };
    // SAFETY: plain calls.
    let (pid, uid) = unsafe { (libc::getpid(), libc::getuid()) };
    whole.info = std::mem::ManuallyDrop::new(Info {
        signal: libc::SIGURG,
        errno: 0,
        code: libc::SI_QUEUE,
        pad: 0,
        pid,
        uid,
        value,
    });
    let info = &raw const whole;
    // SAFETY: the signal has a handler, and the kernel copies a whole siginfo_t. A
    // number that is no thread of ours any more is an error and no signal.
    let sent = unsafe { libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, libc::SIGURG, info) };
    sent == 0
}

/// What handled the signal before us.
struct Before(UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: written once, before our handler is there, which alone reads it.
unsafe impl Sync for Before {}

static BEFORE: Before = Before(UnsafeCell::new(MaybeUninit::uninit()));

/// Puts our handler in place, once in a process. Whether it is there now: it is not
/// if somebody has put another one over it. One caller at a time.
fn install() -> bool {
    static INSTALLED: AtomicU32 = AtomicU32::new(0);
    let ours = handler as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize;
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks for the present handler.
    if unsafe { libc::sigaction(libc::SIGURG, ptr::null(), now.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: filled by the call above.
    let now = unsafe { now.assume_init() };
    // ord: under the caller's lock
    if INSTALLED.load(Ordering::Relaxed) != 0 {
        return now.sa_sigaction == ours;
    }
    // SAFETY: our handler is not there, so nobody reads; one caller at a time.
    unsafe { (*BEFORE.0.get()).write(now) };
    // A handler that goes on to be called keeps its stack, its mask and its wish to
    // end system calls.
    let mut action = now;
    action.sa_sigaction = ours;
    action.sa_flags = libc::SA_SIGINFO
        | if is_nobody(&now) {
            libc::SA_RESTART | libc::SA_ONSTACK
        } else {
            now.sa_flags & (libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_NODEFER)
        };
    // SAFETY: the handler keeps to what POSIX allows in one (invariant 1).
    let installed = unsafe { libc::sigaction(libc::SIGURG, &raw const action, ptr::null_mut()) };
    INSTALLED.store(u32::from(installed == 0), Ordering::Relaxed); // ord: as above
    installed == 0
}

/// Whether the signal would just pass.
fn is_nobody(action: &libc::sigaction) -> bool {
    action.sa_sigaction == libc::SIG_DFL || action.sa_sigaction == libc::SIG_IGN
}

extern "C" fn handler(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes both to a handler with SA_SIGINFO, for this call.
    let (told, interrupted) = unsafe { (&*info, &*context.cast::<ucontext_t>()) };
    // SAFETY: a plain call, which POSIX allows in a handler.
    let own = unsafe { libc::getpid() };
    // SAFETY: SI_QUEUE says that the sender gave its number and a value.
    let asks = told.si_code == libc::SI_QUEUE && unsafe { told.si_pid() } == own;
    // SAFETY: as above.
    let value = asks.then(|| unsafe { told.si_value() }.sival_ptr.addr());
    let index = value.and_then(|value| (value >> 32).checked_sub(MAGIC));
    if let (Some(value), Some(slot)) = (value, index.and_then(|index| SLOTS.get(index))) {
        return reply(slot, value as u32, interrupted);
    }
    // SAFETY: written before this handler was there.
    let before = unsafe { (*BEFORE.0.get()).assume_init_ref() };
    if is_nobody(before) {
        return;
    }
    let called = ptr::with_exposed_provenance::<c_void>(before.sa_sigaction);
    if before.sa_flags & libc::SA_SIGINFO != 0 {
        type Full = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
        // SAFETY: a handler that was installed with this flag has this type.
        unsafe { std::mem::transmute::<*const c_void, Full>(called)(signal, info, context) }
    } else {
        // SAFETY: one without it takes the number alone.
        unsafe { std::mem::transmute::<*const c_void, extern "C" fn(c_int)>(called)(signal) }
    }
}

/// In the handler.
fn reply(slot: &Slot, question: u32, interrupted: &ucontext_t) {
    let writing = question - ASKED + WRITING;
    // ord: sees what may be read; nobody else writes now
    let taken =
        slot.state
            .compare_exchange(question, writing, Ordering::Acquire, Ordering::Relaxed);
    if taken.is_err() {
        return; // too late
    }
    let (pc, sp, frame) = registers(interrupted);
    let floor = slot.floor.load(Ordering::Relaxed); // ord: the exchange has seen them
    let end = slot.end.load(Ordering::Relaxed); // ord: as above
    let mut n = 0;
    if floor != 0 && floor <= sp && sp < end {
        // As if it were an address to return to, which lies behind its call.
        slot.frames[0].store(pc.wrapping_add(1), Ordering::Relaxed); // ord: DONE publishes it
        n = 1;
        let each = |back| {
            slot.frames[n].store(back, Ordering::Relaxed); // ord: as above
            n += 1;
            n < DEEPEST
        };
        // SAFETY: invariant 4. `sp` and `end` lie between the ends of this thread's
        // stack, and what was interrupted is still below the M.
        unsafe { follow(frame, sp - 1, end, each) };
    }
    slot.len.store(n, Ordering::Relaxed); // ord: as above
    // ord: publishes the answer
    slot.state.store(question - ASKED + DONE, Ordering::Release);
}

/// Program counter, stack pointer and frame pointer.
#[cfg(target_arch = "x86_64")]
fn registers(context: &ucontext_t) -> (usize, usize, usize) {
    let all = &context.uc_mcontext.gregs;
    let one = |at: c_int| all[at as usize] as usize;
    (one(libc::REG_RIP), one(libc::REG_RSP), one(libc::REG_RBP))
}

/// Program counter, stack pointer and frame pointer.
#[cfg(target_arch = "aarch64")]
fn registers(context: &ucontext_t) -> (usize, usize, usize) {
    let all = &context.uc_mcontext;
    (all.pc as usize, all.sp as usize, all.regs[29] as usize)
}
