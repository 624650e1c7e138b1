//! Random numbers of an M: a wyrand stream that starts from the runtime's seed,
//! so that one number (`GMP_SEED`) decides every random choice.

use std::cell::Cell;

/// A small fast generator; not for secrets.
#[derive(Debug)]
pub(crate) struct Rand(Cell<u64>);

impl Rand {
    /// The stream number `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Rand {
        Rand(Cell::new(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// One that is to be replaced before it is used.
    #[cfg(gmp_jitter)]
    pub(crate) const fn first() -> Rand {
        Rand(Cell::new(0))
    }

    /// The next 32 bits.
    pub(crate) fn next_u32(&self) -> u32 {
        let state = self.0.get().wrapping_add(0xA076_1D64_78BD_642F);
        self.0.set(state);
        let wide = u128::from(state) * u128::from(state ^ 0xE703_7ED1_A0B4_28DB);
        ((wide >> 64) as u64 ^ wide as u64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::Rand;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let a = Rand::new(7, 0);
        let b = Rand::new(7, 1);
        let again = Rand::new(7, 0);
        let (mut same, mut repeat) = (0, 0);
        for _ in 0..64 {
            let x = a.next_u32();
            same += u32::from(x == b.next_u32());
            repeat += u32::from(x == again.next_u32());
        }
        assert_eq!((same, repeat), (0, 64));
    }
}
