//! The machine stack of a task at the moment when a leaf is about to wait: from the
//! leaf through the futures around it to the poll of the task. It is there for the
//! taking, with frame pointers, and says in which functions a task waits.
//!
//! Off unless asked for; then each leaf that waits walks its own thread's frames,
//! and the addresses are kept once for each different stack. Names are for the
//! reader to find.
//!
//! A poll that goes on and on has a stack as well: `polls.rs` asks for it.
//!
//! Invariant: a walk reads only between its own frame and that of the poll's caller,
//! on its own thread. That part of the stack is in use, so it can be read, whatever
//! a register holds that is no frame pointer.

#![expect(unsafe_code, reason = "reads the frames of its own thread's stack")]

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod polls;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod polls {
    /// Nobody is asked here.
    pub(crate) fn of_long_polls(_sched: &crate::sched::Sched) -> Vec<super::Stack> {
        Vec::new()
    }
}

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::ptr::{self, NonNull};

use crate::fork::Process;
use crate::g::Header;
use crate::handle;
use crate::m::{self, M};
use crate::polltick::Seen;
use crate::probe::{self, WaitReason};
use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, Ordering, lock};

/// Whether dumps do not ask for the stacks of long polls.
static NO_POLL_STACKS: AtomicBool = AtomicBool::new(false);

/// Switches the stacks of waiting tasks on or off, in the whole process: from now
/// on, for tasks that begin to wait. Returns whether they were on.
pub fn set_park_stacks(on: bool) -> bool {
    handle::want_stacks(on)
}

/// Whether the stacks of waiting tasks are on.
pub fn park_stacks() -> bool {
    probe::wants_stacks()
}

/// Whether dumps ask for the stacks of polls that go on and on: they do unless this
/// is called, in a program with frame pointers. Returns whether they did.
pub fn set_poll_stacks(on: bool) -> bool {
    !NO_POLL_STACKS.swap(!on, Ordering::Relaxed) // ord: a wish, to be seen some time soon
}

/// The stack of a poll that has lasted for long.
pub(crate) struct Stack {
    /// The M, and the task that it polls.
    pub(crate) thread: u32,
    pub(crate) id: u64,
    pub(crate) poll: Seen,
    pub(crate) frames: Arc<[usize]>,
}

pub(crate) use self::polls::of_long_polls;

/// Frames of one stack at most.
const DEEPEST: usize = 64;

/// Different stacks at most: programs have hundreds. What comes later has none.
const MOST: usize = 1 << 16;

/// The stacks of a process.
#[derive(Default)]
pub(crate) struct Noted {
    stacks: Mutex<Stacks>,
    /// The number of the stack on which a task waits, by the task's address: its
    /// header has no room for a number, and few programs ask for stacks.
    of_tasks: [Mutex<OfTasks>; SHARDS],
    /// Held by whoever asks long polls for theirs.
    #[cfg_attr(
        not(all(
            target_os = "linux",
            target_pointer_width = "64",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )),
        expect(dead_code, reason = "nobody is asked here")
    )]
    asking: Mutex<()>,
}

#[cfg(test)]
impl Noted {
    /// As whoever is in the middle of all of it.
    pub(crate) fn lock_all(&self) -> impl Sized + '_ {
        let of_tasks = self.of_tasks.each_ref().map(|shard| lock(shard));
        (lock(&self.stacks), of_tasks, lock(&self.asking))
    }
}

const SHARDS: usize = 16;

type OfTasks = HashMap<usize, u32, BuildHasherDefault<Mix>>;

/// Every stack that was seen, by its number: the index plus 1.
#[derive(Default)]
struct Stacks {
    numbers: HashMap<Arc<[usize]>, u32, BuildHasherDefault<Mix>>,
    stacks: Vec<Arc<[usize]>>,
}

/// A step for each word, since each wait on a stack looks for its number and notes it:
/// std's hash takes longer than the walk. The words are the program's own addresses, so
/// nobody makes many of them collide.
#[derive(Default)]
struct Mix(u64);

impl Mix {
    fn step(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words
            .iter()
            .for_each(|word| self.step(u64::from_ne_bytes(*word)));
        rest.iter().for_each(|byte| self.step(u64::from(*byte)));
    }

    fn write_usize(&mut self, word: usize) {
        self.step(word as u64);
    }

    fn finish(&self) -> u64 {
        // The upper bits know more, and a table asks for the lower ones.
        self.0.rotate_left(32)
    }
}

fn notes(task: usize) -> MutexGuard<'static, OfTasks> {
    // Tasks lie at multiples of 16.
    lock(&Process::here().stacks.of_tasks[(task >> 4) % SHARDS])
}

fn stacks() -> MutexGuard<'static, Stacks> {
    lock(&Process::here().stacks.stacks)
}

/// Notes the stack of the wait that begins, or forgets that of the one before: by
/// whoever has the right to run the task.
#[cold]
pub(crate) fn keep(header: &Header, stack: u32) {
    let task = ptr::from_ref(header).addr();
    match stack {
        0 => forget(task),
        stack => note(task, stack),
    }
    header.park.set_has_stack(stack != 0);
}

/// The task has ended.
#[inline]
pub(crate) fn end(header: &Header) {
    if header.park.has_stack() {
        keep(header, 0);
    }
}

/// The stack on which the task waits; see [`capture`].
pub(crate) fn of(header: &Header) -> Option<Arc<[usize]>> {
    let task = ptr::from_ref(header).addr();
    header.park.has_stack().then(|| noted(task)).flatten()
}

fn note(task: usize, stack: u32) {
    notes(task).insert(task, stack);
}

fn forget(task: usize) {
    notes(task).remove(&task);
}

/// The return addresses of the stack that was noted, the leaf first.
fn noted(task: usize) -> Option<Arc<[usize]>> {
    let number = *notes(task).get(&task)?;
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    stacks().stacks.get(index).cloned()
}

fn number_of(stack: &[usize]) -> u32 {
    let mut table = stacks();
    if let Some(&number) = table.numbers.get(stack) {
        return number;
    }
    if table.stacks.len() == MOST {
        return 0;
    }
    let stack: Arc<[usize]> = stack.into();
    table.stacks.push(stack.clone());
    let number = table.stacks.len() as u32;
    table.numbers.insert(stack, number);
    number
}

/// The number of the stack of whoever calls, up to the frame that holds `end`, an
/// address on this thread's stack; 0 if there is none.
#[inline(never)]
pub(crate) fn capture(end: usize) -> u32 {
    let mut stack = [0; DEEPEST];
    match walk(end, &mut stack) {
        0 => 0,
        n => number_of(&stack[..n]),
    }
}

/// The number of the stack of a leaf that is about to wait. Whoever gives a name to
/// somebody else's wait is further out than that one, which the clone of its waker
/// has told.
#[inline(never)]
pub(crate) fn at_leaf(m: &M, reason: WaitReason) -> u32 {
    let noted = m.leaf.get().extras.stack();
    if reason == WaitReason::Foreign && noted != 0 {
        return noted;
    }
    capture(m.poll_frame.get())
}

/// A waker of the task was cloned while stacks are wanted. If that is the one that
/// this thread polls, a leaf that we do not know is about to wait; one of ours notes
/// its own stack after this.
#[cold]
#[inline(never)]
pub(crate) fn waker_cloned(task: NonNull<Header>) {
    // The walk begins here and not in a closure, whose name is not told as ours.
    let end = m::with_current(|m| {
        let m = m.filter(|m| ptr::eq(m.curg.get(), task.as_ptr()))?;
        (m.leaf.get().extras.stack() == 0).then(|| m.poll_frame.get())
    });
    let Some(end) = end else { return };
    let stack = capture(end);
    m::with_current(|m| {
        if let Some(m) = m {
            let mut leaf = m.leaf.get();
            leaf.extras = leaf.extras.with_stack(stack);
            m.leaf.set(leaf);
        }
    });
}

/// Whether a walk finds the frames of this program: it does not, if the program was
/// built without frame pointers, or for a processor that we do not know.
pub fn has_frame_pointers() -> bool {
    /// Three frames that nothing merges, and the walk in the last one.
    #[inline(never)]
    fn nest(depth: u32, end: usize) -> usize {
        let mut stack = [0; DEEPEST];
        let found = match depth {
            0 => walk(end, &mut stack),
            _ => nest(black_box(depth - 1), end),
        };
        black_box(&stack);
        found
    }
    let end = 0_u8;
    // Three calls of `nest` from itself, and the one from here.
    nest(black_box(3), (&raw const end).addr()) >= 4
}

/// Fills `found` with the return addresses of the frames below `end`, the innermost
/// first. Returns how many there are.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "its frame would be part of what it finds"
)]
fn walk(end: usize, found: &mut [usize; DEEPEST]) -> usize {
    let here = (&raw const *found).addr();
    let mut n = 0;
    let each = |back| {
        found[n] = back;
        n += 1;
        n < DEEPEST
    };
    // SAFETY: `found` and `end` are held by frames in use of this thread.
    unsafe { follow(frame_pointer(), here, end, each) };
    n
}

/// Calls `each` with the return addresses of the frames above `low` and below `end`,
/// from this frame outwards, until it wants no more. No frame need be one.
///
/// # Safety
/// What lies between the two addresses is a part in use of this thread's stack.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "its frame would be part of what it finds"
)]
unsafe fn follow(
    mut frame: usize,
    mut low: usize,
    end: usize,
    mut each: impl FnMut(usize) -> bool,
) {
    while frame > low
        && frame <= end.saturating_sub(2 * size_of::<usize>())
        && frame.is_multiple_of(align_of::<usize>())
    {
        let words = ptr::with_exposed_provenance::<usize>(frame);
        // SAFETY: aligned, and in use by contract. Nobody else writes there.
        let (next, back) = unsafe { (words.read_volatile(), words.add(1).read_volatile()) };
        if back == 0 || !each(back) {
            break;
        }
        low = frame;
        frame = next;
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "the frame pointer of whoever asks")]
fn frame_pointer() -> usize {
    let frame: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: copies a register.
    unsafe {
        std::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: copies a register.
    unsafe {
        std::arch::asm!("mov {}, x29", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        frame = 0;
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::{capture, follow, forget, note, noted, number_of};

    #[test]
    fn a_stack_has_one_number() {
        let (one, two) = (number_of(&[1, 2, 3]), number_of(&[1, 2]));
        assert_ne!(one, two);
        assert_eq!(number_of(&[1, 2, 3]), one);
        note(16, one);
        assert_eq!(noted(16).as_deref(), Some(&[1, 2, 3][..]));
        note(16, two);
        assert_eq!(noted(16).as_deref(), Some(&[1, 2][..]));
        forget(16);
        assert_eq!(noted(16), None);
    }

    /// An optimised caller has its variable right above the frame that it calls.
    #[test]
    fn a_frame_that_touches_the_end_is_below_it() {
        let words = [0_usize, 7];
        let frame = (&raw const words).expose_provenance();
        let found = |end| {
            let mut found = Vec::new();
            let each = |back| {
                found.push(back);
                true
            };
            // SAFETY: what lies between the addresses is the array.
            unsafe { follow(frame, frame - 1, end, each) };
            found
        };
        let end = frame + size_of_val(&words);
        assert_eq!(found(end), [7]);
        assert!(found(end - 1).is_empty());
    }

    /// With frame pointers or without, a walk ends where it is told to.
    #[test]
    fn a_walk_stays_below_its_end() {
        let end = 0_u8;
        let near = (&raw const end).addr();
        assert_eq!(capture(0), 0);
        let _any = capture(near);
    }
}
