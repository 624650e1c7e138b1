//! A set of P ids that anyone reads without a lock: `idlepMask` and
//! `timerpMask` (R-P-3, R-P-4).

use crate::sync::{AtomicU64, Ordering};

/// Bits for Ps `0..len`.
#[derive(Debug)]
pub(crate) struct PMask(Box<[AtomicU64]>);

impl PMask {
    pub(crate) fn new(len: usize) -> PMask {
        PMask((0..len.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn read(&self, id: u32) -> bool {
        let word = self.0[id as usize / 64].load(Ordering::Acquire); // ord: after the word's fence
        word & (1 << (id % 64)) != 0
    }

    pub(crate) fn set(&self, id: u32) {
        // ord: before the list changes, under the lock
        self.0[id as usize / 64].fetch_or(1 << (id % 64), Ordering::AcqRel);
    }

    pub(crate) fn clear(&self, id: u32) {
        // ord: as set
        self.0[id as usize / 64].fetch_and(!(1 << (id % 64)), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::PMask;

    #[test]
    fn bits_beyond_the_first_word() {
        let mask = PMask::new(1024);
        for id in [0, 63, 64, 1023] {
            assert!(!mask.read(id));
            mask.set(id);
            assert!(mask.read(id));
        }
        mask.clear(64);
        assert!(!mask.read(64) && mask.read(63));
    }
}
