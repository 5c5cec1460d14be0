//! The endpoints that one kind of requests chooses from, and how many of those stay near.

use super::{Member, Verdict};
use crate::Percent;
use crate::percent::WHOLE;

/// How much more than its part the near zone may carry before calls go elsewhere, in percent: at 100 any loss
/// would move calls, and zones are built with room to spare.
const SPARE: u64 = 140;

/// Positions, sorted, of endpoints that may be picked.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) ready: Vec<u32>,
    /// Those in the caller's zone, and the others; both empty where zones do not matter.
    near: Vec<u32>,
    far: Vec<u32>,
    near_share: Percent,
}

impl Pool {
    pub(super) fn new<M: Member>(
        members: &[M],
        verdicts: &[Verdict],
        prefers_near: bool,
        belongs: impl Fn(&M) -> bool,
    ) -> Self {
        let mut pool = Self {
            ready: Vec::new(),
            near: Vec::new(),
            far: Vec::new(),
            near_share: Percent::new(0),
        };
        let mut near_total = 0;
        for (position, (member, verdict)) in (0..).zip(members.iter().zip(verdicts)) {
            if !belongs(member) {
                continue;
            }
            near_total += u32::from(member.is_near());
            if *verdict != Verdict::Ejected {
                pool.add(position, member.is_near());
            }
        }
        pool.settle(prefers_near, near_total);
        pool
    }

    fn add(&mut self, position: u32, is_near: bool) {
        self.ready.push(position);
        if is_near {
            self.near.push(position);
        } else {
            self.far.push(position);
        }
    }

    /// Fixes how much stays near; where that is no question, forgets who is.
    fn settle(&mut self, prefers_near: bool, near_total: u32) {
        if !prefers_near || self.near.is_empty() || self.far.is_empty() {
            self.near = Vec::new();
            self.far = Vec::new();
            return;
        }
        let share =
            self.near.len() as u64 * u64::from(WHOLE) * SPARE / (u64::from(near_total) * 100);
        self.near_share = Percent::from_millionths(share.min(u64::from(WHOLE)) as u32);
    }

    /// Whether an endpoint lies in another zone while every call stays near.
    pub(super) fn is_beyond(&self, endpoint: u32) -> bool {
        self.near_share == Percent::new(100) && self.far.binary_search(&endpoint).is_ok()
    }

    /// Whom a call chooses from, given where in `0..WHOLE` chance has put it.
    pub(super) fn candidates(&self, lot: u32) -> &[u32] {
        if self.near.is_empty() {
            &self.ready
        } else if lot < self.near_share.millionths() {
            &self.near
        } else {
            &self.far
        }
    }
}
