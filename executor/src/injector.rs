//! The global run queue (R-RUNQ-8, R-RUNQ-9) on crossbeam's `SegQueue`.
//!
//! Lock-free, unlike Go's: so the last look of a dropper includes it (L-5), and
//! its length is a hint. Only the tail grows; the one exception, a shrinking
//! world that puts tasks at the head (R-P-10), rebuilds it while the world
//! stands still.

use crossbeam_queue::SegQueue;

use crate::g::ReadyG;
use crate::runq::HALF;

/// Runnable tasks that belong to no P.
#[derive(Debug)]
pub(crate) struct Injector {
    queue: SegQueue<ReadyG>,
}

impl Injector {
    pub(crate) fn new() -> Injector {
        Injector {
            queue: SegQueue::new(),
        }
    }

    /// At the tail. The caller announces it (`wake_p`).
    pub(crate) fn push(&self, gp: ReadyG) {
        self.queue.push(gp);
    }

    /// All at the tail, in order.
    pub(crate) fn push_all(&self, batch: impl IntoIterator<Item = ReadyG>) {
        for gp in batch {
            self.queue.push(gp);
        }
    }

    /// At the head, in order; only while the world is stopped.
    pub(crate) fn push_front(&self, batch: Vec<ReadyG>) {
        let rest: Vec<ReadyG> = std::iter::from_fn(|| self.pop()).collect();
        self.push_all(batch.into_iter().chain(rest));
    }

    /// The head alone: the 61st tick (R-SCHED-3).
    pub(crate) fn pop(&self) -> Option<ReadyG> {
        self.queue.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// How many tasks one M takes from a global queue of `size` (R-RUNQ-9): a fair
/// share plus one, at most half a ring.
pub(crate) fn batch_size(size: usize, procs: u32, max: u32) -> u32 {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let mut n = size.min(size / procs.max(1) + 1);
    if max > 0 {
        n = n.min(max);
    }
    n.min(HALF)
}

#[cfg(test)]
mod tests {
    use super::batch_size;

    /// Rule R-RUNQ-9, T-12.
    #[test]
    fn t12_batch_sizes() {
        let table = [
            (1, 4, 0, 1),
            (3, 4, 0, 1),
            (4, 4, 0, 2),
            (10, 1, 0, 10),
            (100, 4, 0, 26),
            (508, 4, 0, 128),
            (1000, 4, 0, 128),
            (1000, 1, 0, 128),
            (500, 8, 1, 1),
            (0, 1, 0, 0),
            (0, 8, 1, 0),
        ];
        for (size, procs, max, n) in table {
            assert_eq!(
                batch_size(size, procs, max),
                n,
                "size {size} procs {procs} max {max}"
            );
        }
    }
}
