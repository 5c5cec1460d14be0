//! A small generator of numbers: the same from the same seed.

/// xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub(crate) fn pick<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        &list[self.below(list.len())]
    }

    /// Up to `most` ends of reads of `len` bytes, ascending.
    pub(crate) fn ends(&mut self, len: usize, most: usize) -> Vec<usize> {
        let mut ends: Vec<_> = (0..self.below(most + 1))
            .map(|_| self.below(len + 1))
            .collect();
        ends.sort_unstable();
        ends
    }
}
