//! Maglev's table: every endpoint fills an equal part of it, in an order of its own (Eisenbud et al., NSDI 2016).

use super::hash;

/// How many slots there are: a prime, a hundred times the endpoints that a service may well have.
const SLOTS: u64 = 65_537;
const EMPTY: u32 = u32::MAX;

/// Whose each slot is.
#[derive(Clone, Debug)]
pub struct Maglev {
    slots: Vec<u32>,
}

/// One endpoint while the table is filled: where in its own order it is, and how much it may take.
struct Filler {
    position: u32,
    next: u64,
    skip: u64,
    weight: u64,
    taken: u64,
}

impl Maglev {
    /// The table of endpoints by name and weight.
    #[must_use]
    pub fn new(endpoints: &[(&str, u32)]) -> Self {
        let mut fillers = fillers(endpoints);
        let mut slots = vec![EMPTY; SLOTS as usize];
        let heaviest = fillers.iter().map(|one| one.weight).max().unwrap_or(0);
        let (mut filled, mut round) = (0, 0);
        while heaviest > 0 && filled < SLOTS {
            round += 1;
            for filler in &mut fillers {
                let is_due = filler.taken * heaviest < round * filler.weight;
                if is_due && filled < SLOTS {
                    take(filler, &mut slots);
                    filled += 1;
                }
            }
        }
        slots.retain(|&slot| slot != EMPTY);
        Self { slots }
    }

    /// The slots from a key's on, and then those before it.
    pub(super) fn from(&self, key: u64) -> (&[u32], &[u32]) {
        let start = (key % SLOTS) as usize;
        let (before, after) = self.slots.split_at(start.min(self.slots.len()));
        (after, before)
    }
}

/// Those with a weight, sorted by name, so that everybody fills the same table.
fn fillers(endpoints: &[(&str, u32)]) -> Vec<Filler> {
    let mut named: Vec<_> = (0..).zip(endpoints).filter(|(_, one)| one.1 > 0).collect();
    named.sort_unstable_by_key(|(_, one)| one.0);
    let filler = |(position, &(name, weight)): (u32, &(&str, u32))| Filler {
        position,
        next: hash(name.as_bytes(), 0) % SLOTS,
        skip: hash(name.as_bytes(), 1) % (SLOTS - 1) + 1,
        weight: u64::from(weight),
        taken: 0,
    };
    named.into_iter().map(filler).collect()
}

/// Takes the next free slot in the filler's order; there must be one.
fn take(filler: &mut Filler, slots: &mut [u32]) {
    while slots[filler.next as usize] != EMPTY {
        filler.next = (filler.next + filler.skip) % SLOTS;
    }
    slots[filler.next as usize] = filler.position;
    filler.taken += 1;
}
