//! Where diagnostics look into the scheduler: a function for each kind of transition.
//! While nothing is wanted a hook is one load and a branch; the rest is out of line.
//!
//! What is wanted is told by [`FLAGS`]. A hook of an M, which has its runtime at hand,
//! asks that one's own word first (`sched::Word`), and the flags only if that is not plain:
//! a poll and a spawn look there anyhow. Whoever wakes a task may know nothing of its
//! runtime but the task, and looks at the flags at once.
//!
//! The runtime's word is set before the epoch, so knowing the epoch, which is seeing it in
//! the flags, stays known: who has seen it by the word sees it again by the flags, which
//! never go back; who has seen it by the flags alone sees the word from then on, and so
//! does whoever comes after either of them. Model snapshot.
//!
//! What the hooks do while a snapshot is open is told in `g/prof.rs`. The records
//! that they take wait in a few buffers for the walker; a buffer is open as long
//! as its snapshot is, and a task's word is claimed under the buffer's lock: so no
//! record comes after the walker has closed it.
//!
//! `--cfg gmp_no_probe` builds a scheduler without the hooks, to see what they cost. A
//! snapshot is then a walk without a promise.

use crate::fork::Process;
use crate::g::Header;
use crate::g::prof::{Epoch, Prof};
use crate::jitter;
use crate::m::M;
use crate::sched::{SNAPSHOT, Sched, Word};
use crate::sync::{AtomicU32, Mutex, Ordering, lock};

use super::Extras;
use super::record::TaskInfo;

/// Whether the scheduler has its hooks.
pub(crate) const ON: bool = !cfg!(gmp_no_probe);

/// What is wanted: the epoch of the open snapshot in the upper bits; the lower six
/// are for others. 0: nothing.
static FLAGS: AtomicU32 = AtomicU32::new(0);

/// The bits beside the epoch.
const OTHERS: u32 = 0x3f;
/// Leaves note the stack on which they wait.
const PARK_STACK: u32 = 1;

#[inline(always)]
#[expect(clippy::inline_always, reason = "one load on every wake")]
fn flags() -> u32 {
    if ON {
        // ord: snapshot.rs brings it to everybody; sees the runtime's word, set before it
        let flags = FLAGS.load(Ordering::Acquire);
        jitter::point();
        flags
    } else {
        0
    }
}

/// Whether no snapshot is open.
pub(crate) fn is_quiet() -> bool {
    Epoch::of(flags()).is_none()
}

/// Whether leaves are to note their stacks.
#[inline(never)]
pub(crate) fn wants_stacks() -> bool {
    flags() & PARK_STACK != 0
}

/// The same for a leaf that `m` polls.
#[inline]
pub(crate) fn wants_stacks_of(m: &M) -> bool {
    !is_plain(m.sched.word()) && wants_stacks()
}

/// The same for whoever clones a waker.
#[inline]
pub(crate) fn wants_stacks_of_clones() -> bool {
    flags() & PARK_STACK != 0
}

/// Switches that on or off; gives what it was.
pub(crate) fn want_stacks(on: bool) -> bool {
    let before = if on {
        FLAGS.fetch_or(PARK_STACK, Ordering::Relaxed) // ord: a wish, to be seen some time soon
    } else {
        FLAGS.fetch_and(!PARK_STACK, Ordering::Relaxed) // ord: as above
    };
    before & PARK_STACK != 0
}

/// Whether a hook has nothing to do in the runtime with this word.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one look on every poll")]
fn is_plain(word: Word) -> bool {
    jitter::point();
    !ON || word.is_plain()
}

/// The poll of a task begins, of the runtime with this word; its caller has a variable
/// at `frame`.
#[inline]
pub(crate) fn begin_poll(m: &M, header: &Header, word: Word, frame: *const u8) {
    if !is_plain(word) {
        begin(m, header, frame);
    }
}

#[cold]
fn begin(m: &M, header: &Header, frame: *const u8) {
    tag(header, flags());
    m.poll_frame.set(frame.addr());
}

/// A task is born, of which nobody knows yet, in the runtime with this word.
#[inline]
pub(crate) fn newborn(header: &Header, word: Word) {
    if !is_plain(word) {
        born(header);
    }
}

#[cold]
fn born(header: &Header) {
    if let Some(epoch) = Epoch::of(flags()) {
        header.park.prof.born_in(epoch);
    }
}

/// Before anybody changes the status of a task that does not end.
#[inline]
pub(crate) fn before_change(header: &Header) {
    let flags = flags();
    if flags != 0 {
        tag(header, flags);
    }
}

/// Before `m` makes the task that it polls runnable again.
#[inline]
pub(crate) fn before_requeue(m: &M, header: &Header) {
    if !is_plain(m.sched.word()) {
        tag(header, flags());
    }
}

#[cold]
fn tag(header: &Header, flags: u32) {
    if let Some(epoch) = Epoch::of(flags) {
        header.park.prof.tag(epoch, &header.state);
    }
}

/// Before `m` overwrites the task's park record, and its labels with these.
#[inline]
pub(crate) fn before_park(m: &M, header: &Header, extras: Extras) {
    if !is_plain(m.sched.word()) {
        park(m, header, extras);
    }
}

#[cold]
fn park(m: &M, header: &Header, extras: Extras) {
    let same = extras
        .labels()
        .is_none_or(|labels| labels == header.park.labels());
    let claim = if same { Prof::before_park } else { Prof::claim };
    record(m, header, claim);
}

/// Before `m` lists a task, ends it or changes its labels.
#[inline]
pub(crate) fn before_loss(m: &M, header: &Header) {
    if !is_plain(m.sched.word()) {
        record(m, header, Prof::claim);
    }
}

type Claim = fn(&Prof, Epoch, &crate::g::state::State) -> Option<u32>;

#[cold]
fn record(m: &M, header: &Header, claim: Claim) {
    if is_quiet() {
        return;
    }
    let buffers = buffers();
    let mut buffer = lock(&buffers[m.shared.id as usize % buffers.len()]);
    let Some(taking) = buffer.taking else { return };
    // The buffers open before the epoch is published. Whoever was on its way here
    // for an earlier one must not speak of a moment that is yet to come.
    if taking.runtime != runtime(&m.sched) || Epoch::of(flags()) != Some(taking.epoch) {
        return;
    }
    if let Some(status) = claim(&header.park.prof, taking.epoch, &header.state) {
        buffer
            .records
            .extend(TaskInfo::of(header, status, taking.now_ms));
    }
}

/// A few, for Ms that park at the same time.
pub(crate) type Buffers = [Mutex<Buffer>; 8];

fn buffers() -> &'static Buffers {
    &Process::here().records
}

/// Records that others than the walker have taken.
#[derive(Default)]
pub(crate) struct Buffer {
    taking: Option<Taking>,
    records: Vec<TaskInfo>,
}

/// The snapshot that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taking {
    pub(crate) epoch: Epoch,
    /// The address of the runtime whose tasks are wanted.
    runtime: usize,
    /// The moment, in milliseconds.
    pub(crate) now_ms: u32,
}

fn runtime(sched: &Sched) -> usize {
    std::ptr::from_ref(sched).addr()
}

/// Opens the buffers. One snapshot at a time.
pub(crate) fn open(sched: &Sched, epoch: Epoch, now_ms: u32) -> Taking {
    let taking = Taking {
        epoch,
        runtime: runtime(sched),
        now_ms,
    };
    for buffer in buffers() {
        lock(buffer).taking = Some(taking);
    }
    taking
}

/// Tells everybody; whoever has stopped the world, or makes a heavy fence, knows
/// that they hear it.
pub(crate) fn publish(sched: &Sched, epoch: Epoch) {
    sched.set_watched(SNAPSHOT, true);
    jitter::point();
    FLAGS.fetch_or(epoch.bits(), Ordering::SeqCst); // ord: before the fence of the opener
    jitter::point();
}

/// Gives the records that have come so far to `each`, which runs under no lock.
pub(crate) fn drain(batch: &mut Vec<TaskInfo>, each: &mut dyn FnMut(&mut Vec<TaskInfo>)) {
    for buffer in buffers() {
        std::mem::swap(batch, &mut lock(buffer).records);
        if !batch.is_empty() {
            each(batch);
            batch.clear();
        }
    }
}

/// Closes the buffers: no record comes after this. What they hold stays for [`drain`].
pub(crate) fn close(sched: &Sched) {
    for buffer in buffers() {
        lock(buffer).taking = None;
    }
    jitter::point();
    FLAGS.fetch_and(OTHERS, Ordering::Release); // ord: after the walker's copies
    sched.set_watched(SNAPSHOT, false);
}

/// In a child of fork, for which no snapshot is open yet: ends one that its parent was
/// taking. Returns its epoch, which the child's own ones come after: so whoever calls
/// this twice at the same time ends none of those.
pub(crate) fn abandon() -> Option<Epoch> {
    let inherited = FLAGS.load(Ordering::Relaxed); // ord: from before the fork
    let epoch = Epoch::of(inherited)?;
    // ord: the child's threads come to know it as they come to know its first runtime
    let _closed = FLAGS.compare_exchange(
        inherited,
        inherited & OTHERS,
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
    Some(epoch)
}

/// Throws away what nobody has drained.
pub(crate) fn clear() {
    for buffer in buffers() {
        lock(buffer).records.clear();
    }
}
