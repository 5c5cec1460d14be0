//! Consistent hashing: equal keys go to one endpoint, and few move when the set changes.
//!
//! Both tables are made off the request path, from the names of the endpoints alone: so all sidecars agree,
//! whatever the order in which they learned of them. A key whose endpoint is not ready goes on to the next in
//! the table that is.

mod maglev;
mod ring;

pub use maglev::Maglev;
pub use ring::Ring;

/// Where keys go.
#[derive(Clone, Debug)]
pub enum Table {
    /// Ketama's ring.
    Ring(Ring),
    /// Google's table.
    Maglev(Maglev),
}

impl Table {
    /// The endpoints for a key, by position, the one it belongs to first; some more than once.
    pub fn walk(&self, key: u64) -> impl Iterator<Item = u32> + Clone + '_ {
        let slots = match self {
            Self::Ring(ring) => ring.from(key),
            Self::Maglev(maglev) => maglev.from(key),
        };
        slots.0.iter().chain(slots.1).copied()
    }
}

/// 64 bits of text, the same in every process: FNV-1a, finished so that similar names lie far apart.
#[must_use]
pub fn hash(text: &[u8], seed: u64) -> u64 {
    const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    let mixed = text.iter().fold(OFFSET ^ seed, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    crate::draw::another(mixed)
}

#[cfg(test)]
mod tests;
