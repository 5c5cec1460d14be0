//! Tables by names that configuration brings. Whoever asks for a name does not choose which ones are there, so the hash
//! need not be a secret, and is a fraction of one that is.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by name.
pub(crate) type ByName<K, V> = HashMap<K, V, BuildHasherDefault<NameHasher>>;

/// Odd, and half of its bits set: a fraction of the golden ratio.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Eight bytes at a time, each multiplied to twice its width and folded.
#[derive(Default)]
pub(crate) struct NameHasher(u64);

impl NameHasher {
    const fn mix(&mut self, word: u64) {
        let wide = (self.0 ^ word ^ FACTOR) as u128 * FACTOR as u128;
        self.0 = wide as u64 ^ (wide >> 64) as u64;
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words
            .iter()
            .for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let joined = |word, byte: &u8| word << 8 | u64::from(*byte);
            self.mix(rest.iter().fold(0, joined));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
