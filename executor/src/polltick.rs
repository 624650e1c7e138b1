//! What an M has begun, for sysmon: polls, and the blocking sections in them
//! (R-SYSMON-4, R-SYSCALL-6).
//!
//! One word, written by its M alone: the number of polls above, that of the
//! sections of the present poll below. A section that comes after another is
//! not the same one, and so keeps its P; but it is the same poll, and a poll of
//! nothing but short sections does not keep its P for ever.

use std::time::Duration;

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The bits that count sections. They may turn over: sysmon compares two looks.
const SECTIONS: u32 = 0xff;

#[derive(Debug)]
pub(crate) struct PollTick {
    now: AtomicU32,
    /// The poll that sysmon has seen last, and when it saw that first; for dumps.
    last: (AtomicU32, AtomicU64),
}

/// A [`PollTick`] as it was once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen(u32);

impl PollTick {
    pub(crate) fn new() -> PollTick {
        PollTick {
            now: AtomicU32::new(0),
            last: (AtomicU32::new(0), AtomicU64::new(0)),
        }
    }

    /// A poll begins: the next number, and no section yet.
    pub(crate) fn begin_poll(&self) {
        let now = self.now.load(Ordering::Relaxed); // ord: own word
        let next = (now | SECTIONS).wrapping_add(1);
        self.now.store(next, Ordering::Relaxed); // ord: sysmon's hint
    }

    /// A section begins or ends.
    pub(crate) fn turn(&self) {
        let now = self.now.load(Ordering::Relaxed); // ord: own word
        let next = (now & !SECTIONS) | (now.wrapping_add(1) & SECTIONS);
        self.now.store(next, Ordering::Relaxed); // ord: sysmon's hint
    }

    pub(crate) fn look(&self) -> Seen {
        Seen(self.now.load(Ordering::Relaxed)) // ord: hint
    }

    /// sysmon sees a poll that it has not seen before.
    pub(crate) fn note(&self, seen: Seen, now: u64) {
        self.last.1.store(now, Ordering::Relaxed); // ord: for people
        self.last.0.store(seen.poll(), Ordering::Relaxed); // ord: as above
    }

    /// How long the present poll has lasted at least.
    pub(crate) fn age(&self, now: u64) -> Duration {
        let seen = self.last.0.load(Ordering::Relaxed); // ord: for people
        let since = self.last.1.load(Ordering::Relaxed); // ord: as above
        let same = self.look().poll() == seen;
        Duration::from_nanos(if same { now.saturating_sub(since) } else { 0 })
    }
}

impl Seen {
    pub(crate) fn is_poll_of(self, other: Seen) -> bool {
        self.poll() == other.poll()
    }

    /// The number of the poll.
    pub(crate) fn poll(self) -> u32 {
        self.0 / (SECTIONS + 1)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::PollTick;

    #[test]
    fn sections_are_of_the_same_poll_however_many() {
        let tick = PollTick::new();
        tick.begin_poll();
        let first = tick.look();
        for _ in 0..1000 {
            let before = tick.look();
            tick.turn();
            assert_ne!(tick.look(), before);
            assert!(tick.look().is_poll_of(first));
        }
        tick.begin_poll();
        assert!(!tick.look().is_poll_of(first));
        assert_eq!(tick.look().poll(), first.poll() + 1);
    }
}
