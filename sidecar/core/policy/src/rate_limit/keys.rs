//! The cells of many keys, in bounded memory, forgetting only what has nothing to remember.
//!
//! A cell that is as new is like one never seen, so only such are forgotten: churn of keys never resets an
//! exhausted one. The queue holds every key once, under an instant before which its cell is not as new. That
//! instant is brought up to date only when the key comes to the front, so charging a cell costs nothing
//! here; what a newcomer pays for is bounded by [`LOOKS`]. A key may stay for longer than it has to when a charge was
//! taken back, or the wall clock was set, never shorter. Cells that do not fade with time are not queued: whoever
//! takes their last charge back has them forgotten.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashTable;

use super::cell::Cell;

/// How many keys at the front of the queue one newcomer looks at, at most.
const LOOKS: usize = 64;

/// Keys of a limiter: hashes with a secret key, made outside.
pub type Key = u64;

/// Where a key's cell is.
pub(super) type Slot = u32;

#[derive(Clone, Debug)]
pub(super) struct Keys<C> {
    /// Where keys are, by their hash, which is the key itself.
    slots: HashTable<Slot>,
    entries: Vec<Entry<C>>,
    vacant: Vec<Slot>,
    /// The earliest instant at which each key might be as new, earliest first.
    queue: BinaryHeap<Reverse<(u64, Slot)>>,
}

#[derive(Clone, Debug)]
struct Entry<C> {
    key: Key,
    cell: C,
}

impl<C> Default for Keys<C> {
    fn default() -> Self {
        Self {
            slots: HashTable::new(),
            entries: Vec::new(),
            vacant: Vec::new(),
            queue: BinaryHeap::new(),
        }
    }
}

impl<C: Cell> Keys<C> {
    /// The slot of a key that is in the table.
    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<Slot> {
        let is_it = |&slot: &Slot| self.entries[slot as usize].key == key;
        self.slots.find(key, is_it).copied()
    }

    /// Whether one more key finds room, after some that are as new were forgotten.
    pub(super) fn has_room(&mut self, max_keys: u32, terms: &C::Terms, now_ns: u64) -> bool {
        self.forget_fresh(terms, now_ns);
        self.slots.len() < max_keys as usize
    }

    pub(super) fn cell(&self, slot: Slot) -> &C {
        &self.entries[slot as usize].cell
    }

    pub(super) fn cell_mut(&mut self, slot: Slot) -> &mut C {
        &mut self.entries[slot as usize].cell
    }

    /// Every cell in the table.
    pub(super) fn cells(&self) -> impl Iterator<Item = &C> {
        self.slots.iter().map(|&slot| self.cell(slot))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Forgets keys whose cells are as new, after at most [`LOOKS`] looks.
    pub(super) fn forget_fresh(&mut self, terms: &C::Terms, now_ns: u64) {
        for _ in 0..LOOKS {
            match self.queue.peek() {
                Some(&Reverse((due_ns, slot))) if due_ns <= now_ns => {
                    self.look_at(slot, terms, now_ns)
                }
                _ => return,
            }
        }
    }

    /// Forgets the key at the front if its cell is as new, otherwise queues it anew.
    fn look_at(&mut self, slot: Slot, terms: &C::Terms, now_ns: u64) {
        self.queue.pop();
        match self.cell(slot).fresh_at_ns(terms, now_ns) {
            Some(due_ns) => self.queue.push(Reverse((due_ns.max(now_ns + 1), slot))),
            None => self.forget(slot),
        }
    }

    /// Forgets the key in this slot.
    pub(super) fn forget(&mut self, slot: Slot) {
        let key = self.entries[slot as usize].key;
        if let Ok(entry) = self.slots.find_entry(key, |&other| other == slot) {
            entry.remove();
            self.entries[slot as usize].cell = C::default();
            self.vacant.push(slot);
        }
    }

    /// Takes in a key that is not in the table.
    pub(super) fn take_in(&mut self, key: Key, now_ns: u64) -> Slot {
        let slot = match self.vacant.pop() {
            Some(slot) => {
                self.entries[slot as usize].key = key;
                slot
            }
            None => {
                let cell = C::default();
                self.entries.push(Entry { key, cell });
                self.entries.len() as Slot - 1
            }
        };
        let entries = &self.entries;
        self.slots
            .insert_unique(key, slot, |&slot| entries[slot as usize].key);
        if C::FADES {
            self.queue.push(Reverse((now_ns, slot)));
        }
        slot
    }

    /// Carries every cell over to other terms.
    pub(super) fn convert(&mut self, from: &C::Terms, to: &C::Terms, now_ns: u64) {
        for &slot in &self.slots {
            self.entries[slot as usize].cell.convert(from, to, now_ns);
        }
        if C::FADES {
            let due_ns = |slot| self.cell(slot).fresh_at_ns(to, now_ns).unwrap_or(now_ns);
            let queue = self.slots.iter().map(|&slot| Reverse((due_ns(slot), slot)));
            self.queue = queue.collect();
        }
    }
}
