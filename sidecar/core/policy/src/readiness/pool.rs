//! The endpoints that one kind of requests chooses from, and how many of those stay near.

use super::{Member, Verdict};
use crate::Percent;
use crate::percent::WHOLE;

/// How much more than its part the near zone may carry before calls go elsewhere, in percent: at 100 any loss
/// would move calls, and zones are built with room to spare.
const SPARE: u64 = 140;

/// Who may be picked for one kind of requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    ready: Candidates,
    /// Those in the caller's zone, and the others; both empty where zones do not matter.
    near: Candidates,
    far: Candidates,
    near_share: Percent,
}

/// Some endpoints by position, sorted, and how many places each has in a draw of one of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    positions: Vec<u32>,
    /// Where the places of each end; empty where all have the same number of them.
    ends: Vec<u32>,
}

impl Candidates {
    fn add(&mut self, position: u32, weight: u32) {
        let begin = self.ends.last().copied().unwrap_or(0);
        self.positions.push(position);
        self.ends.push(begin.saturating_add(weight));
    }

    /// Forgets weights that are all the same.
    fn settle(&mut self) {
        let first = self.ends.first().copied().unwrap_or(0);
        if (1..).zip(&self.ends).all(|(nth, &end)| end == nth * first) {
            self.ends = Vec::new();
        }
    }

    pub(super) fn positions(&self) -> &[u32] {
        &self.positions
    }

    pub(super) fn contains(&self, endpoint: u32) -> bool {
        self.positions.binary_search(&endpoint).is_ok()
    }

    /// Whether somebody is there but whom a call avoids.
    fn has_other(&self, avoid: Option<u32>) -> bool {
        self.positions.iter().any(|other| Some(*other) != avoid)
    }

    /// Whether some have more places than others.
    pub(super) const fn is_weighted(&self) -> bool {
        !self.ends.is_empty()
    }

    /// How many places there are.
    pub(super) fn places(&self) -> u32 {
        let count = self.positions.len() as u32;
        self.ends.last().copied().unwrap_or(count)
    }

    /// The endpoint that has a place.
    pub(super) fn at(&self, place: u32) -> u32 {
        self.positions[self.index_of(place)]
    }

    /// Once around, from the endpoint that has a place on.
    pub(super) fn walk(&self, place: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        let start = self.index_of(place).min(self.positions.len());
        let (before, after) = self.positions.split_at(start);
        after.iter().chain(before).copied()
    }

    fn index_of(&self, place: u32) -> usize {
        match self.is_weighted() {
            true => self.ends.partition_point(|&end| end <= place),
            false => place as usize,
        }
    }
}

impl Pool {
    pub(super) fn new<M: Member>(
        members: &[M],
        verdicts: &[Verdict],
        prefers_near: bool,
        belongs: impl Fn(&M) -> bool,
    ) -> Self {
        let mut pool = Self::default();
        let mut near_total = 0;
        for (position, (member, verdict)) in (0..).zip(members.iter().zip(verdicts)) {
            if !belongs(member) {
                continue;
            }
            near_total += u32::from(member.is_near());
            if *verdict != Verdict::Ejected {
                pool.add(position, member);
            }
        }
        pool.settle(prefers_near, near_total);
        pool
    }

    fn add(&mut self, position: u32, member: &impl Member) {
        let of_zone = match member.is_near() {
            true => &mut self.near,
            false => &mut self.far,
        };
        of_zone.add(position, member.weight());
        self.ready.add(position, member.weight());
    }

    /// Fixes how much stays near; where that is no question, forgets who is.
    fn settle(&mut self, prefers_near: bool, near_total: u32) {
        self.ready.settle();
        let near = self.near.positions.len() as u64;
        if !prefers_near || near == 0 || self.far.positions.is_empty() {
            self.near = Candidates::default();
            self.far = Candidates::default();
            return;
        }
        self.near.settle();
        self.far.settle();
        let share = near * u64::from(WHOLE) * SPARE / (u64::from(near_total) * 100);
        self.near_share = Percent::from_millionths(share.min(u64::from(WHOLE)) as u32);
    }

    /// All that may be picked.
    pub(super) const fn ready(&self) -> &Candidates {
        &self.ready
    }

    /// Whether an endpoint lies in another zone while every call stays near.
    pub(super) fn is_beyond(&self, endpoint: u32, avoid: Option<u32>) -> bool {
        let is_near = self.near_share == Percent::new(100) && self.near.has_other(avoid);
        is_near && self.far.contains(endpoint)
    }

    /// Whom a call chooses from, given where in `0..WHOLE` chance has put it. A zone that has nobody but whom it avoids
    /// is no choice.
    pub(super) fn candidates(&self, lot: u32, avoid: Option<u32>) -> &Candidates {
        let of_zone = match lot < self.near_share.millionths() {
            true => &self.near,
            false => &self.far,
        };
        match of_zone.has_other(avoid) {
            true => of_zone,
            false => &self.ready,
        }
    }
}
