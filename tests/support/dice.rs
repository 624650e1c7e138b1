//! Numbers that look random and come again with their seed.

/// A small generator (xorshift).
#[derive(Debug)]
pub(crate) struct Dice(u32);

impl Dice {
    /// Of a seed other than 0.
    pub(crate) fn new(seed: u32) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        usize::try_from(self.0).expect("32 bits fit") % sides
    }
}
