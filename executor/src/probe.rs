//! What diagnostics cost the scheduler: a park record in each task, the hooks of
//! snapshots, and counters. No formats here; the profiler reads.

mod hooks;
mod record;
mod select;

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr;

use crate::g::Header;
use crate::g::prof::Prof;
use crate::jitter;
use crate::m::M;
use crate::stacks;
use crate::sync::{AtomicPtr, AtomicU16, AtomicU32, AtomicU64, Ordering};

pub(crate) use self::hooks::{
    Buffers, ON, Taking, abandon, before_change, before_loss, before_park, before_requeue,
    begin_poll, clear, close, drain, is_quiet, newborn, open, publish, want_stacks, wants_stacks,
    wants_stacks_of, wants_stacks_of_clones,
};
pub use self::record::{Status, TaskInfo};
pub(crate) use self::select::Select;

/// Whether a task's header tells why, where and since when it waits. Always; but for
/// `--cfg gmp_no_park_record`, to see what it costs.
pub(crate) const RECORDS: bool = !cfg!(gmp_no_park_record);

/// What a task waits for; the texts are Go's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum WaitReason {
    /// Something that gmp does not know: a foreign future.
    Foreign,
    /// Readiness of a socket or pipe.
    IoWait,
    /// A timer.
    Sleep,
    /// The end of another task.
    Join,
    /// A value from a channel.
    ChanReceive,
    /// Room in a channel or a receiver.
    ChanSend,
    /// One of several things.
    Select,
    /// A semaphore.
    SemAcquire,
    /// A mutex.
    MutexLock,
    /// A read lock.
    RwMutexRLock,
    /// A write lock.
    RwMutexLock,
    /// A wait group.
    WaitGroupWait,
    /// A notification.
    CondWait,
    /// The end of a closure of `spawn_blocking`.
    Blocking,
    /// Stopped by a suspender.
    Preempted,
}

impl WaitReason {
    /// The text in dumps.
    pub fn as_str(self) -> &'static str {
        match self {
            WaitReason::Foreign => "waiting",
            WaitReason::IoWait => "IO wait",
            WaitReason::Sleep => "sleep",
            WaitReason::Join => "join",
            WaitReason::ChanReceive => "chan receive",
            WaitReason::ChanSend => "chan send",
            WaitReason::Select => "select",
            WaitReason::SemAcquire => "semacquire",
            WaitReason::MutexLock => "sync.Mutex.Lock",
            WaitReason::RwMutexRLock => "sync.RWMutex.RLock",
            WaitReason::RwMutexLock => "sync.RWMutex.Lock",
            WaitReason::WaitGroupWait => "sync.WaitGroup.Wait",
            WaitReason::CondWait => "sync.Cond.Wait",
            WaitReason::Blocking => "blocking",
            WaitReason::Preempted => "preempted",
        }
    }

    fn from_u8(n: u8) -> WaitReason {
        const ALL: [WaitReason; 15] = [
            WaitReason::Foreign,
            WaitReason::IoWait,
            WaitReason::Sleep,
            WaitReason::Join,
            WaitReason::ChanReceive,
            WaitReason::ChanSend,
            WaitReason::Select,
            WaitReason::SemAcquire,
            WaitReason::MutexLock,
            WaitReason::RwMutexRLock,
            WaitReason::RwMutexLock,
            WaitReason::WaitGroupWait,
            WaitReason::CondWait,
            WaitReason::Blocking,
            WaitReason::Preempted,
        ];
        ALL.get(usize::from(n))
            .copied()
            .unwrap_or(WaitReason::Foreign)
    }
}

/// Why, where and since when a task waits. Written by the M that parks it,
/// before the state says Waiting. Two ids have 48 bits each, which last for a year
/// at ten million spawns a second: so all of it takes 32 bytes.
pub(crate) struct ParkRecord {
    location: AtomicPtr<Location<'static>>,
    /// What snapshots know of the task.
    pub(crate) prof: Prof,
    since_ms: AtomicU32,
    /// The task whose end it waits for, if it joins one.
    target_low: AtomicU32,
    target_high: AtomicU16,
    /// The task that spawned this one: fixed.
    parent_low: u32,
    parent_high: u16,
    mark: AtomicU32,
}

// The parts of `mark`, which whoever has the right to run the task writes, and reads
// as one.

/// The interned set of labels that whoever parks or spawns has just now, inherited by
/// children (R-G-5); 0: none. A poll begins with the task's own.
const LABELS: u32 = 0xffff;
/// A [`WaitReason`], from this bit on.
const REASON: u32 = 16;
const REASONS: u32 = 0x7f << REASON;
/// The wait is that of a `select!`: the location is its, the reason that of the leaf that
/// was polled last. Set in a poll, and cleared by the next.
const SELECT: u32 = 1 << 23;
// How its last poll went, and what was found before the next:
/// The last poll held up a P: the task is polled without one.
const HOLDS_UP: u32 = 1 << 24;
/// The last poll gave way at a check.
const GAVE_WAY: u32 = 1 << 25;
/// A poll without a P computed for long and never slept.
const COMPUTES: u32 = 1 << 26;
/// The stack of its last wait is noted (`stacks.rs`).
const HAS_STACK: u32 = 1 << 30;
/// It has a turn to compute (`aside.rs`); whoever polls it takes this mark.
const TURN: u32 = 1 << 27;
/// It was never polled.
const NEW: u32 = 1 << 28;
/// Its first poll gets no P because of what its siblings did (`suspects.rs`).
const SUSPECT: u32 = 1 << 29;
/// It is runnable, and `since_ms` is a stamp of `latency.rs` meanwhile.
const STAMPED: u32 = 1 << 31;

impl ParkRecord {
    pub(crate) fn new(parent: u64) -> ParkRecord {
        ParkRecord {
            prof: Prof::new(),
            target_low: AtomicU32::new(0),
            target_high: AtomicU16::new(0),
            parent_low: parent as u32,
            parent_high: (parent >> 32) as u16,
            location: AtomicPtr::new(ptr::null_mut()),
            since_ms: AtomicU32::new(0),
            mark: AtomicU32::new(NEW),
        }
    }

    /// The task is about to wait. False: that is not all, and [`ParkRecord::settle`]
    /// is to follow.
    #[inline]
    #[must_use]
    pub(crate) fn write(&self, leaf: Leaf, since_ms: u32) -> bool {
        if !RECORDS {
            return true;
        }
        let location = leaf.location.map_or(ptr::null(), ptr::from_ref).cast_mut();
        self.location.store(location, Ordering::Relaxed); // ord: published by edge 3
        jitter::point();
        self.target_low.store(leaf.target as u32, Ordering::Relaxed); // ord: as above
        let high = (leaf.target >> 32) as u16;
        self.target_high.store(high, Ordering::Relaxed); // ord: as above
        self.since_ms.store(since_ms, Ordering::Relaxed); // ord: as above
        let mark = self.mark();
        self.set_mark((mark & !REASONS) | leaf.extras.reason_bits());
        leaf.extras.are_none() && mark & (LABELS | HAS_STACK | SELECT) == 0
    }

    /// What few tasks have: labels other than none, a stack, and a select that they wait
    /// in, which is that of the poll that `m` has made.
    #[cold]
    pub(crate) fn settle(&self, m: &M, header: &Header, extras: Extras) {
        if self.has(SELECT) {
            match m.select.get().location_for(header) {
                Some(at) => {
                    let at = ptr::from_ref(at).cast_mut();
                    self.location.store(at, Ordering::Relaxed); // ord: as in `write`
                }
                None => self.set_manner(SELECT, false),
            }
        }
        if let Some(labels) = extras.labels() {
            self.set_labels(labels);
        }
        if extras.stack() != 0 || self.has_stack() {
            stacks::keep(header, extras.stack());
        }
    }

    fn mark(&self) -> u32 {
        self.mark.load(Ordering::Relaxed) // ord: the right to run the task carries it; others are people
    }

    fn set_mark(&self, mark: u32) {
        self.mark.store(mark, Ordering::Relaxed); // ord: edges 1 to 4 carry it to the next M
    }

    /// Whether the poll that begins is as most are. If not: its labels are to be set,
    /// it is timed, its last one gave way, or was in a select.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.mark() & (LABELS | STAMPED | GAVE_WAY | SELECT) == 0
    }

    #[inline]
    pub(crate) fn selects(&self) -> bool {
        self.has(SELECT)
    }

    pub(crate) fn set_selects(&self, selects: bool) {
        self.set_manner(SELECT, selects);
    }

    pub(crate) fn target(&self) -> u64 {
        let low = self.target_low.load(Ordering::Relaxed); // ord: for people
        let high = self.target_high.load(Ordering::Relaxed); // ord: as above
        u64::from(high) << 32 | u64::from(low)
    }

    pub(crate) fn parent(&self) -> u64 {
        u64::from(self.parent_high) << 32 | u64::from(self.parent_low)
    }

    pub(crate) fn labels(&self) -> u16 {
        (self.mark() & LABELS) as u16
    }

    pub(crate) fn set_labels(&self, labels: u16) {
        self.set_mark((self.mark() & !LABELS) | u32::from(labels));
    }

    /// Whether the next poll may be one without a P.
    #[inline]
    pub(crate) fn is_marked(&self) -> bool {
        self.mark() & (HOLDS_UP | NEW) != 0
    }

    /// True once, before the first poll.
    pub(crate) fn take_new(&self) -> bool {
        self.take(NEW)
    }

    pub(crate) fn set_suspect(&self) {
        self.set_manner(SUSPECT, true);
    }

    pub(crate) fn take_suspect(&self) -> bool {
        self.take(SUSPECT)
    }

    fn take(&self, bit: u32) -> bool {
        let had = self.has(bit);
        if had {
            self.set_manner(bit, false);
        }
        had
    }

    fn has(&self, bit: u32) -> bool {
        self.mark() & bit != 0
    }

    #[inline]
    pub(crate) fn holds_up(&self) -> bool {
        self.has(HOLDS_UP)
    }

    pub(crate) fn set_holds_up(&self, holds_up: bool) {
        self.set_manner(HOLDS_UP, holds_up);
    }

    #[inline]
    pub(crate) fn gave_way(&self) -> bool {
        self.has(GAVE_WAY)
    }

    pub(crate) fn set_gave_way(&self, gave_way: bool) {
        self.set_manner(GAVE_WAY, gave_way);
    }

    #[inline]
    pub(crate) fn computes(&self) -> bool {
        self.has(COMPUTES)
    }

    pub(crate) fn set_computes(&self, computes: bool) {
        self.set_manner(COMPUTES, computes);
    }

    pub(crate) fn has_turn(&self) -> bool {
        self.has(TURN)
    }

    pub(crate) fn set_turn(&self, turn: bool) {
        self.set_manner(TURN, turn);
    }

    #[inline]
    pub(crate) fn has_stack(&self) -> bool {
        self.has(HAS_STACK)
    }

    pub(crate) fn set_has_stack(&self, has: bool) {
        self.set_manner(HAS_STACK, has);
    }

    fn set_manner(&self, bit: u32, on: bool) {
        let mark = self.mark();
        self.set_mark(if on { mark | bit } else { mark & !bit });
    }

    pub(crate) fn reason(&self) -> WaitReason {
        if self.selects() {
            return WaitReason::Select;
        }
        self.leaf_reason()
    }

    /// That of the leaf, in a select too.
    pub(crate) fn leaf_reason(&self) -> WaitReason {
        WaitReason::from_u8(((self.mark() & REASONS) >> REASON) as u8)
    }

    pub(crate) fn stamp(&self, at: u32) {
        self.since_ms.store(at, Ordering::Relaxed); // ord: with the right to run it
        self.set_manner(STAMPED, true);
    }

    #[inline]
    pub(crate) fn take_stamp(&self) -> Option<u32> {
        let stamped = self.take(STAMPED);
        stamped.then(|| self.since_ms.load(Ordering::Relaxed)) // ord: as above
    }

    pub(crate) fn since_ms(&self) -> u32 {
        self.since_ms.load(Ordering::Relaxed) // ord: for people
    }

    pub(crate) fn location(&self) -> Option<&'static Location<'static>> {
        crate::leaf::location_of(self.location.load(Ordering::Relaxed)) // ord: for people
    }
}

/// The leaf that made the present poll wait; kept by the M until it parks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    pub(crate) location: Option<&'static Location<'static>>,
    pub(crate) target: u64,
    pub(crate) extras: Extras,
}

impl Leaf {
    pub(crate) const NONE: Leaf = Leaf {
        location: None,
        target: 0,
        extras: Extras(0),
    };
}

/// The smaller things that a leaf tells, in one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extras(u64);

impl Extras {
    /// Beside the labels: they are told.
    const LABELLED: u64 = 1 << 24;
    /// The place is that of whoever polls the leaf.
    const POLLED: u64 = 1 << 25;
    /// From this bit on, the number of the stack.
    const STACK: u32 = 32;

    /// A wait of which no more is told yet.
    #[inline]
    pub(crate) fn new(reason: WaitReason) -> Extras {
        Extras((reason as u64) << REASON)
    }

    /// As [`Extras::new`], of a leaf that knows only who polls it.
    #[inline]
    pub(crate) fn polled(reason: WaitReason) -> Extras {
        Extras(Extras::new(reason).0 | Extras::POLLED)
    }

    pub(crate) fn is_polled(self) -> bool {
        self.0 & Extras::POLLED != 0
    }

    pub(crate) fn with_stack(self, stack: u32) -> Extras {
        let rest = self.0 & u64::from(u32::MAX);
        Extras(rest | u64::from(stack) << Extras::STACK)
    }

    pub(crate) fn with_labels(self, labels: u16) -> Extras {
        Extras(self.0 & !u64::from(LABELS) | u64::from(labels) | Extras::LABELLED)
    }

    /// The labels that the leaf was called with; None: those of the task itself.
    pub(crate) fn labels(self) -> Option<u16> {
        (self.0 & Extras::LABELLED != 0).then_some((self.0 & u64::from(LABELS)) as u16)
    }

    pub(crate) fn reason(self) -> WaitReason {
        WaitReason::from_u8((self.reason_bits() >> REASON) as u8)
    }

    /// The number of the stack that it was called on; 0: not noted.
    pub(crate) fn stack(self) -> u32 {
        (self.0 >> Extras::STACK) as u32
    }

    fn reason_bits(self) -> u32 {
        self.0 as u32 & REASONS
    }

    /// No labels and no stack.
    fn are_none(self) -> bool {
        self.0 & (u64::from(LABELS) | u64::from(u32::MAX) << Extras::STACK) == 0
    }
}

/// Panics of user code that ended in the runtime: in drops and in wakers.
static CONTAINED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn contained_panic() {
    CONTAINED.fetch_add(1, Ordering::Relaxed); // ord: a count
    tracing::error!(target: "gmp::panic", "a panic in a drop or a waker was contained");
}

/// Runs code of the user that must not unwind into the runtime.
pub(crate) fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        contained_panic();
        // The payload is a value of the user's as well: its drop may panic, and
        // so may what that panics with. There the runtime stops being curious.
        if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            contained_panic();
            let _leaked = ManuallyDrop::new(next);
        }
    }
}

pub(crate) fn contained_panics() -> u64 {
    CONTAINED.load(Ordering::Relaxed) // ord: a count
}

/// A task's poll panicked; the payload goes to its handle.
pub(crate) fn task_panicked(header: &Header, payload: &(dyn Any + Send)) {
    let message = crate::g::join::panic_message(payload).unwrap_or("(no message)");
    tracing::error!(
        target: "gmp::panic",
        task_id = header.goid,
        task_name = header.name().unwrap_or(""),
        spawned_at = %header.spawn_loc,
        message,
        "a task panicked",
    );
    // SAFETY is not at stake: a panicking task runs, so its runtime lives.
    crate::m::with_current(|m| {
        if let Some(handler) = m.and_then(|m| m.sched.hooks.panic_handler.as_ref()) {
            contain(|| {
                handler(&TaskPanic {
                    id: header.goid,
                    spawned_at: header.spawn_loc,
                    payload,
                });
            });
        }
    });
}

/// What the panic handler of a runtime is told.
pub struct TaskPanic<'a> {
    id: u64,
    spawned_at: &'static Location<'static>,
    payload: &'a (dyn Any + Send),
}

impl<'a> TaskPanic<'a> {
    /// The task's id.
    pub fn id(&self) -> u64 {
        self.id
    }
    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }
    /// The payload; its handle gets it afterwards.
    pub fn payload(&self) -> &'a (dyn Any + Send) {
        self.payload
    }
    /// The payload's text, if it has one.
    pub fn message(&self) -> Option<&'a str> {
        crate::g::join::panic_message(self.payload)
    }
}

impl std::fmt::Debug for TaskPanic<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskPanic")
            .field("id", &self.id)
            .field("spawned_at", &self.spawned_at)
            .field("message", &self.message())
            .finish()
    }
}
