//! The timers of one P: a heap under a lock, and a face that everybody may read.
//!
//! Invariants, whenever the lock is free:
//! - every entry's node has its place behind this set's face, under the entry's deadline;
//! - `face.next()` is not later than the deadline of any pending timer;
//! - a node is in one heap at most, and there once.

use std::fmt;
use std::task::Waker;

use crate::clamp;
use crate::face::Face;
use crate::heap::{Heap, Keep};
use crate::mutant::{self, Mutant};
use crate::node::{Node, Set, Surfaced};
use crate::prefetch;
use crate::sync::{Arc, Lock, acquire_fence};
use crate::timer::Timer;

/// Nodes kept for the next timer: 16 KiB a set at most.
const SPARE: usize = 256;

/// Zombies that one call removes from one end. One would keep pace; more catches up.
const TRIM: usize = 8;

/// Cache lines of what a waker points to: what a wake and a short poll of a small task touch.
const TASK: usize = 4;

/// The timers of one P. Any thread may call everything; the owner of the P calls it most, so that
/// the lock is free and the data near.
pub struct Timers {
    face: &'static Face,
    queue: Lock<Queue>,
}

/// Result of [`Timers::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// The earliest deadline that is left, in nanoseconds; 0 if there is none. May be too early,
    /// never too late.
    pub next: u64,
    /// Whether a timer has fired.
    pub ran: bool,
}

/// What the lock guards.
struct Queue {
    face: &'static Face,
    heap: Heap<Arc<Node>>,
    /// Nodes without a timer: their next life costs no allocation.
    spare: Vec<Arc<Node>>,
}

impl Timers {
    /// An empty set of nobody's.
    pub fn new() -> Timers {
        Timers::of(0)
    }

    /// An empty set. `owner` is what [`Timer::owner`] tells of its timers.
    pub fn of(owner: usize) -> Timers {
        let face = Face::lease(owner);
        Timers {
            face,
            queue: Lock::new(Queue {
                face,
                heap: Heap::new(),
                spare: Vec::new(),
            }),
        }
    }

    /// Arms `timer` for the time `when`, in nanoseconds (0 counts as 1, everything beyond
    /// [`FOREVER`](crate::FOREVER) as that), to wake `waker`. A timer that is still in some heap
    /// stays there and gets both.
    ///
    /// True if the poller must be woken: `when` is earlier than what the owner of the timer's heap
    /// would sleep until.
    ///
    /// # Rules R-TIMER-4, L-15
    #[doc(alias = "addtimer")]
    pub fn add(&self, timer: &Timer, when: u64, waker: &Waker) -> bool {
        let when = clamp(when);
        // Cloned before the lock and, if it replaces one, that one is dropped after it: both are
        // user code.
        let waker = waker.clone();
        let mut queue = self.queue.lock();
        // Looked up before the trimming: a sleeper may still go by a deadline that is trimmed away.
        let former = self.face.next();
        queue.trim_tail();
        let set = match timer.node() {
            Some(node) => queue.enter(node, when, waker),
            None => queue.enter_first(timer, when, waker),
        };
        queue.publish();
        drop(queue);
        match set {
            Set::Out => former == 0 || when < former,
            Set::Moved { wake, .. } => wake,
        }
    }

    /// The earliest deadline in nanoseconds, 0 if there is none. Takes no lock. May be too early,
    /// never too late.
    ///
    /// # Rules R-TIMER-7, R-TIMER-14
    #[doc(alias = "timeSleepUntil")]
    #[inline]
    pub fn next(&self) -> u64 {
        self.face.next()
    }

    /// Fires every timer that is due at `now`: pushes their wakers to `ready` in the order of their
    /// deadlines. The wakers are for the caller to wake; no lock is held then, and whatever a
    /// wake-up adds is found by the next `check`.
    ///
    /// Costs a few loads if nothing is due. `own` says that the calling thread holds this P: only
    /// then are stopped timers swept out, once they are more than a quarter.
    ///
    /// # Rules R-TIMER-7, R-TIMER-9, R-TIMER-10
    #[doc(alias = "checkTimers")]
    pub fn check(&self, now: u64, own: bool, ready: &mut Vec<Waker>) -> Check {
        // So that FOREVER never comes.
        let now = now.min(crate::FOREVER - 1);
        let next = self.face.next();
        if next == 0 || (now < next && !(own && self.seems_crowded())) {
            return Check { next, ran: false };
        }
        let mut queue = self.queue.lock();
        let sweep = own && queue.is_crowded();
        if self.face.modified_due(now) {
            queue.adjust();
        }
        let ran = queue.run(now, ready);
        // Due timers go first: sweeping may take long.
        if sweep || (own && queue.is_crowded()) {
            queue.adjust();
        }
        queue.trim_head();
        queue.heap.shrink();
        queue.publish();
        drop(queue);
        Check {
            next: self.face.next(),
            ran,
        }
    }

    /// Moves all timers of `other` here, each with its final deadline; stopped ones leave. For a
    /// change of the number of Ps while the world is stopped: a sleeper of either set is not told.
    ///
    /// # Rule R-TIMER-12
    #[doc(alias = "moveTimers")]
    pub fn take_from(&self, other: &Timers) {
        if std::ptr::eq(self, other) {
            return;
        }
        // By address, so that two threads that take from each other do not wait for each other.
        let (mut mine, mut theirs);
        if std::ptr::from_ref(self) < std::ptr::from_ref(other) {
            mine = self.queue.lock();
            theirs = other.queue.lock();
        } else {
            theirs = other.queue.lock();
            mine = self.queue.lock();
        }
        let mut stopped = 0;
        for entry in theirs.heap.drain() {
            match entry.item.settle(self.face) {
                Some(when) => mine.heap.push(when, entry.item),
                None => {
                    stopped += 1;
                    mine.recycle(entry.item);
                }
            }
        }
        // Shown here before it vanishes there.
        mine.publish();
        other.face.count_reaped(stopped);
        theirs.publish();
    }

    /// Puts every timer out, for an owner that checks no more. Comes back with the wakers of those
    /// that were pending: woken, their tasks find the timers neither fired nor pending.
    pub fn evict(&self) -> Vec<Waker> {
        let mut queue = self.queue.lock();
        let wakers = queue.evict();
        queue.publish();
        wakers
    }

    /// Entries in the heap, stopped timers included.
    pub fn len(&self) -> usize {
        self.face.len()
    }

    /// Whether the heap has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Timers that are pending. Exact if nobody else is at work on them.
    pub fn live(&self) -> usize {
        self.face.len().saturating_sub(self.face.zombies())
    }

    /// A hint: see [`Queue::is_crowded`].
    fn seems_crowded(&self) -> bool {
        self.face.zombies() > self.face.len() / 4
    }
}

impl Queue {
    /// Puts a timer that was armed before into the heap, unless it is in one.
    fn enter(&mut self, node: &Arc<Node>, when: u64, waker: Waker) -> Set {
        let set = node.enter(self.face, when, waker);
        if let Set::Out = set {
            self.insert(when, Arc::clone(node));
        }
        set
    }

    /// Puts a timer that was never armed into the heap.
    fn enter_first(&mut self, timer: &Timer, when: u64, waker: Waker) -> Set {
        let node = self.new_node(when, waker);
        if timer.bind(Arc::clone(&node)) {
            self.insert(when, node);
            return Set::Out;
        }
        // Another thread armed it between the look and the lock, so this node stays unused.
        let waker = node.evict().flatten();
        self.recycle(node);
        match (timer.node(), waker) {
            (Some(node), Some(waker)) => self.enter(node, when, waker),
            _ => {
                unreachable!("a timer that cannot be bound has a node, and a new node has a waker")
            }
        }
    }

    /// Puts a node into the heap; in the place of the first one if that is stopped, which spares a
    /// sift to the bottom when short timers come and go above many long ones.
    fn insert(&mut self, when: u64, node: Arc<Node>) {
        if self.face.zombies() == 0 || !self.heap.first().is_some_and(|first| has_left(&first.item))
        {
            self.heap.push(when, node);
        } else if let Some(node) = self.heap.replace_first(when, node) {
            self.face.count_reaped(1);
            self.recycle(node);
        }
    }

    fn new_node(&mut self, when: u64, waker: Waker) -> Arc<Node> {
        if let Some(mut node) = self.spare.pop()
            && let Some(unshared) = Arc::get_mut(&mut node)
        {
            unshared.renew(self.face, when, waker);
            return node;
        }
        Arc::new(Node::new(self.face, when, waker))
    }

    fn recycle(&mut self, node: Arc<Node>) {
        if self.spare.len() < SPARE && is_orphan(&node) {
            self.spare.push(node);
        }
    }

    /// Empties the heap.
    fn evict(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let mut stopped = 0;
        for entry in self.heap.drain() {
            match entry.item.evict() {
                Some(waker) => wakers.extend(waker),
                None => stopped += 1,
            }
        }
        self.face.count_reaped(stopped);
        wakers
    }

    /// Fires what is due.
    fn run(&mut self, now: u64, ready: &mut Vec<Waker>) -> bool {
        let mut ran = false;
        while let Some(first) = self.heap.first()
            && first.when <= now
        {
            match first.item.surface(first.when) {
                Surfaced::Fired(waker) => {
                    ran = true;
                    if let Some(waker) = &waker {
                        prefetch::soon(waker.data(), TASK);
                    }
                    ready.extend(waker);
                    for second in self.heap.seconds() {
                        prefetch::soon(Arc::as_ptr(&second.item), 1);
                    }
                    self.heap.pop();
                }
                Surfaced::Moved(when) => self.heap.move_first(when),
                Surfaced::Zombie => self.reap_first(),
            }
        }
        ran
    }

    /// Brings every entry up to date: moved timers get their new place, stopped ones leave.
    fn adjust(&mut self) {
        if !mutant::is(Mutant::ClearAfterScan) {
            self.face.clear_modified();
        }
        let Queue { face, heap, spare } = self;
        let mut reaped = 0;
        let judge = |shown: u64, node: &Arc<Node>| {
            if !node.differs(shown) {
                return Keep::AsIs;
            }
            node.settle(face).map_or(Keep::No, Keep::At)
        };
        heap.sort_out(judge, |node| {
            reaped += 1;
            if spare.len() < SPARE && is_orphan(&node) {
                spare.push(node);
            }
        });
        face.count_reaped(reaped);
        if mutant::is(Mutant::ClearAfterScan) {
            self.face.clear_modified();
        }
    }

    /// Removes stopped timers from the tail: a timer that is armed and soon stopped is there as a
    /// rule, and leaves for nothing.
    fn trim_tail(&mut self) {
        for _ in 0..TRIM {
            if self.face.zombies() == 0
                || !self.heap.last().is_some_and(|last| has_left(&last.item))
            {
                break;
            }
            if let Some(node) = self.heap.pop_last() {
                self.face.count_reaped(1);
                self.recycle(node);
            }
        }
    }

    /// Removes stopped timers from the head, where they would wake the poller for nothing.
    fn trim_head(&mut self) {
        for _ in 0..TRIM {
            if self.face.zombies() == 0
                || !self.heap.first().is_some_and(|first| has_left(&first.item))
            {
                break;
            }
            self.reap_first();
        }
    }

    fn reap_first(&mut self) {
        if let Some(node) = self.heap.pop() {
            self.face.count_reaped(1);
            self.recycle(node);
        }
    }

    /// Whether more than a quarter of the entries are stopped timers.
    fn is_crowded(&self) -> bool {
        self.face.zombies() > self.heap.len() / 4
    }

    fn publish(&self) {
        if self.heap.len() == 0 {
            // Left behind by a timer that was moved and then stopped; nobody relies on it any more.
            self.face.clear_modified();
        }
        let first = self.heap.first().map_or(0, |first| first.when);
        self.face.publish(first, self.heap.len());
    }
}

/// Whether the heap holds the only reference, so that nobody can bring the timer back.
fn is_orphan(node: &Arc<Node>) -> bool {
    let alone = Arc::strong_count(node) == 1;
    // ord: sees what the handle did before it went; pairs with the release in Arc's drop;
    // model none: loom's strong_count is stronger than std's
    acquire_fence();
    alone
}

/// Puts a stopped timer out of its heap; false if it is not stopped (any more).
fn has_left(node: &Arc<Node>) -> bool {
    node.seems_stopped() && (is_orphan(node) || node.leave_if_stopped())
}

impl Default for Timers {
    fn default() -> Timers {
        Timers::new()
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        let wakers = self.queue.get_mut().evict();
        // No timer knows the face any more.
        self.face.release();
        // User code last: it may arm and drop timers, but none of this set.
        drop(wakers);
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("next", &self.next())
            .field("len", &self.len())
            .field("live", &self.live())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
