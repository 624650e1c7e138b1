//! P: the right to run tasks, with everything that goes with it.
//!
//! Fields marked *owner* are written only by the M that has the P (or by whoever
//! took it away): relaxed atomics, so that others may look.

use crossbeam_utils::CachePadded;
use gmp_timers::Timers;

use crate::g::ReadyG;
use crate::latency::{Latencies, Sampler};
use crate::runq::RunQueue;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::yielded::Yielded;

/// On the idle list, or between two owners.
pub(crate) const PIDLE: u32 = 0;
/// An M has it.
pub(crate) const PRUNNING: u32 = 1;
/// The world is stopped.
pub(crate) const PGCSTOP: u32 = 3;
/// Beyond `gomaxprocs`.
pub(crate) const PDEAD: u32 = 4;

/// One processor.
#[derive(Debug)]
pub(crate) struct P {
    pub(crate) id: u32,
    pub(crate) status: AtomicU32,
    /// Id of the M that has it, plus 1; 0 for none.
    pub(crate) m: AtomicU32,
    pub(crate) runq: CachePadded<RunQueue<ReadyG>>,
    /// Tasks that gave way, behind the global queue. Owner puts; anyone takes.
    pub(crate) yielded: CachePadded<Yielded>,
    pub(crate) timers: Timers,
    /// Runs that did not inherit their time slice (R-SCHED-3). Owner.
    pub(crate) schedtick: AtomicU32,
    /// Asked to give way: sticky until a new time slice begins (R-PREEMPT-7).
    pub(crate) preempt: AtomicBool,
    /// A function is to be run for this P (stw.rs).
    pub(crate) safe_point: AtomicBool,
    /// Next goid and how many are left of the batch. Owner.
    goid_next: AtomicU64,
    goid_left: AtomicU32,
    pub(crate) stats: PStats,
    /// Which wakes are timed, and what came of it. Owner.
    pub(crate) sampler: Sampler,
    pub(crate) latencies: Latencies,
}

/// Counters of a P, for people. Owner; nobody branches on them but shutdown,
/// which compares `spawned` with `finished`.
#[derive(Debug, Default)]
pub(crate) struct PStats {
    pub(crate) spawned: Counter,
    pub(crate) finished: Counter,
    pub(crate) steals: Counter,
    pub(crate) stolen: Counter,
    pub(crate) global_takes: Counter,
    pub(crate) polls: Counter,
    pub(crate) spins: Counter,
    pub(crate) timers_fired: Counter,
}

/// A counter with one writer at a time.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Owner only.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // ord: one writer; readers add up hints, and shutdown reads twice
        self.0
            .store(self.0.load(Ordering::Relaxed) + n, Ordering::Release);
    }

    /// Any thread, at the price of a read-modify-write.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Release); // ord: as add
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire) // ord: shutdown sees what the counted end did
    }
}

const GOID_BATCH: u32 = 16;

impl P {
    /// `runtime` is the number that its timers tell of it.
    pub(crate) fn new(id: u32, runtime: usize) -> P {
        P {
            id,
            status: AtomicU32::new(PIDLE),
            m: AtomicU32::new(0),
            runq: CachePadded::new(RunQueue::new()),
            yielded: CachePadded::default(),
            timers: Timers::of(runtime),
            schedtick: AtomicU32::new(0),
            preempt: AtomicBool::new(false),
            safe_point: AtomicBool::new(false),
            goid_next: AtomicU64::new(0),
            goid_left: AtomicU32::new(0),
            stats: PStats::default(),
            sampler: Sampler::new(),
            latencies: Latencies::new(),
        }
    }

    /// Owner only. A number from this P's batch of 16 (R-G-6).
    pub(crate) fn next_goid(&self, generator: &AtomicU64) -> u64 {
        let left = self.goid_left.load(Ordering::Relaxed); // ord: owner's own
        let (next, left) = if left == 0 {
            // ord: uniqueness is all
            (
                generator.fetch_add(u64::from(GOID_BATCH), Ordering::Relaxed),
                GOID_BATCH,
            )
        } else {
            (self.goid_next.load(Ordering::Relaxed), left) // ord: owner's own
        };
        self.goid_next.store(next + 1, Ordering::Relaxed); // ord: owner's own
        self.goid_left.store(left - 1, Ordering::Relaxed); // ord: owner's own
        next
    }

    /// Owner only. A run with a slice of its own begins.
    #[inline]
    pub(crate) fn tick(&self) {
        let tick = self.schedtick.load(Ordering::Relaxed); // ord: owner's own
        self.schedtick
            .store(tick.wrapping_add(1), Ordering::Relaxed); // ord: sysmon looks now and then
    }

    #[inline]
    pub(crate) fn tick_now(&self) -> u32 {
        self.schedtick.load(Ordering::Relaxed) // ord: hint for others
    }

    pub(crate) fn set_status(&self, status: u32) {
        self.status.store(status, Ordering::Release); // ord: the owner's change, seen by thieves
    }

    pub(crate) fn status(&self) -> u32 {
        self.status.load(Ordering::Acquire) // ord: hint
    }

    /// Whether it has tasks, timers due aside. Never falsely empty.
    pub(crate) fn has_work(&self) -> bool {
        !self.runq.is_empty() || !self.yielded.is_empty()
    }

    /// Whether it has tasks beside the one that it runs next, a hint.
    pub(crate) fn has_company(&self) -> bool {
        !self.runq.ring_is_empty() || !self.yielded.is_empty()
    }

    /// Owner only. Gives all its tasks to `sink`, as they would have run here.
    pub(crate) fn drain(&self, mut sink: impl FnMut(ReadyG)) {
        self.runq.drain(&mut sink);
        self.yielded.take_some(usize::MAX, sink);
    }
}

#[cfg(test)]
mod tests {
    use super::P;
    use crate::sync::AtomicU64;

    /// Rule R-G-6, T-92: blocks of 16 per P, unique.
    #[test]
    fn t92_goids_come_in_blocks_of_16() {
        let generator = AtomicU64::new(1);
        let (a, b) = (P::new(0, 0), P::new(1, 0));
        assert_eq!(a.next_goid(&generator), 1);
        assert_eq!(b.next_goid(&generator), 17);
        let rest: Vec<u64> = (0..15).map(|_| a.next_goid(&generator)).collect();
        assert_eq!(rest, (2..17).collect::<Vec<_>>());
        assert_eq!(a.next_goid(&generator), 33);
    }
}
