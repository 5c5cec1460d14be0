//! The buckets of many keys, in bounded memory, forgetting only what has nothing to remember.
//!
//! A full bucket is like one never seen, so only full ones are forgotten: churn of keys never resets an
//! exhausted one. The queue holds every key once, under an instant before which its bucket is not full. That
//! instant is brought up to date only when the key comes to the front, so charging a bucket costs nothing
//! here; what a newcomer pays for is bounded by [`LOOKS`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::bucket::{Bucket, Rate};

/// How many keys at the front of the queue one newcomer looks at, at most.
const LOOKS: usize = 64;

/// Keys of a limiter: hashes with a secret key, made outside.
pub type Key = u64;

/// Where a key's bucket is.
pub(super) type Slot = u32;

#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    slots: HashMap<Key, Slot, BuildHasherDefault<AlreadyHashed>>,
    entries: Vec<Entry>,
    vacant: Vec<Slot>,
    /// The earliest instant at which each key might be full, earliest first.
    queue: BinaryHeap<Reverse<(u64, Slot)>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    bucket: Bucket,
}

impl Keys {
    /// The slot of a key, taken in if it is new and the table has room or a full bucket to forget.
    pub(super) fn slot(
        &mut self,
        key: Key,
        max_keys: u32,
        rate: &Rate,
        now_ns: u64,
    ) -> Option<Slot> {
        if let Some(&slot) = self.slots.get(&key) {
            return Some(slot);
        }
        self.forget_full(rate, now_ns);
        (self.slots.len() < max_keys as usize).then(|| self.take_in(key, now_ns))
    }

    pub(super) fn bucket(&self, slot: Slot) -> &Bucket {
        &self.entries[slot as usize].bucket
    }

    pub(super) fn bucket_mut(&mut self, slot: Slot) -> &mut Bucket {
        &mut self.entries[slot as usize].bucket
    }

    /// The bucket of a key that is in the table.
    pub(super) fn find(&self, key: Key) -> Option<&Bucket> {
        self.slots.get(&key).map(|&slot| self.bucket(slot))
    }

    /// The bucket of every key in the table.
    pub(super) fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.slots.values().map(|&slot| self.bucket(slot))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Forgets buckets that are full again, after at most [`LOOKS`] looks.
    pub(super) fn forget_full(&mut self, rate: &Rate, now_ns: u64) {
        for _ in 0..LOOKS {
            match self.queue.peek() {
                Some(&Reverse((due_ns, slot))) if due_ns <= now_ns => {
                    self.look_at(slot, rate, now_ns)
                }
                _ => return,
            }
        }
    }

    /// Forgets the key at the front if its bucket is full, otherwise queues it anew under its true instant.
    fn look_at(&mut self, slot: Slot, rate: &Rate, now_ns: u64) {
        self.queue.pop();
        let Entry { key, bucket } = self.entries[slot as usize];
        let due_ns = bucket.full_at_ns(rate);
        if due_ns > now_ns {
            self.queue.push(Reverse((due_ns, slot)));
        } else {
            self.slots.remove(&key);
            self.vacant.push(slot);
        }
    }

    fn take_in(&mut self, key: Key, now_ns: u64) -> Slot {
        let entry = Entry {
            key,
            bucket: Bucket::default(),
        };
        let slot = match self.vacant.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as Slot - 1
            }
        };
        self.slots.insert(key, slot);
        self.queue.push(Reverse((now_ns, slot)));
        slot
    }

    /// Carries every bucket over to another rate.
    pub(super) fn convert(&mut self, from: &Rate, to: &Rate, now_ns: u64) {
        for &slot in self.slots.values() {
            let bucket = &mut self.entries[slot as usize].bucket;
            *bucket = bucket.converted(from, to, now_ns);
        }
        let buckets = self
            .slots
            .values()
            .map(|&slot| (self.bucket(slot).full_at_ns(to), slot));
        self.queue = buckets.map(Reverse).collect();
    }
}

/// Takes a key for its own hash.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
