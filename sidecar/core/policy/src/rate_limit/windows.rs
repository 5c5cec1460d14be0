//! Windows of the calendar: numbered stretches of time, all of one length, that begin where the wall clock says.
//!
//! A `per` may be cut into slices; `per / slices` need not be a whole number of nanoseconds, so time is counted
//! in that part of one, and `per` of these are a slice.
//!
//! The wall clock may be set. The window then goes on to the first of its new boundaries at which it has lasted
//! its length; if that is past, the next one begins at once, and lasts its length from here. So windows are never
//! shorter than they should be, at most two meet in any real stretch of their length, and steps of the clock, however
//! many, never admit more than twice the limit there.

use crate::moment::Moment;

/// The current window, or slice of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    per_ns: u64,
    slices: u32,
    /// Counts the windows that began.
    number: u64,
    /// Where it began on the monotonic clock, in parts; before that clock's zero perhaps.
    opened: i128,
    /// Where it ends.
    closes: i128,
    /// The first instant at which it has ended; 0 before the first window.
    closes_ns: u64,
    /// What the wall clock was ahead when that was computed.
    ahead_ns: u64,
}

impl Windows {
    pub(super) fn new(per_ns: u64, slices: u32) -> Self {
        Self {
            per_ns,
            slices: slices.max(1),
            number: 0,
            opened: 0,
            closes: 0,
            closes_ns: 0,
            ahead_ns: 0,
        }
    }

    /// Goes on to the window of `moment`.
    #[inline]
    pub(super) fn advance(&mut self, moment: Moment) {
        let ahead_ns = moment.unix_ns.wrapping_sub(moment.now_ns);
        if moment.now_ns >= self.closes_ns || ahead_ns != self.ahead_ns {
            self.ahead_ns = ahead_ns;
            self.find(moment);
        }
    }

    fn find(&mut self, moment: Moment) {
        let (per, slices) = (i128::from(self.per_ns), i128::from(self.slices));
        let into = i128::from(moment.unix_ns) * slices % per;
        let begun = i128::from(moment.now_ns) * slices - into;
        let is_first = self.closes_ns == 0;
        let passed = (begun - self.opened).div_euclid(per);
        let passed = if is_first { 1 } else { passed };
        if passed > 0 {
            // Until then the one before was current, wherever the clock, set by now, says that this one began.
            let until = self.closes.min(i128::from(moment.now_ns) * slices);
            self.number = self.number.saturating_add(passed as u64);
            self.opened = if is_first { begun } else { begun.max(until) };
        }
        self.closes = self.opened + per + (begun - self.opened).rem_euclid(per);
        self.closes_ns = self.instant(self.closes);
    }

    /// Goes on where older ones are that are cut alike; otherwise keeps their numbers out of use.
    pub(super) fn follow(&mut self, old: &Self) {
        if self.is_like(old) {
            *self = *old;
        } else {
            self.begin_after(old.number);
        }
    }

    /// Keeps numbers out of use, up to this one.
    pub(super) const fn begin_after(&mut self, number: u64) {
        self.number = number;
    }

    /// Whether the other ones are as long, and cut alike.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.per_ns, self.slices) == (other.per_ns, other.slices)
    }

    pub(super) const fn per_ns(&self) -> u64 {
        self.per_ns
    }

    pub(super) const fn slices(&self) -> u32 {
        self.slices
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// How far the current slice is, in parts: from 0 to `per`.
    pub(super) fn elapsed(&self, now_ns: u64) -> u64 {
        let elapsed = i128::from(now_ns) * i128::from(self.slices) - self.opened;
        elapsed.clamp(0, i128::from(self.per_ns)) as u64
    }

    /// The first instant at which so many parts of the slice that begins `later` slices from now are over.
    pub(super) fn instant_ns(&self, later: u32, parts: u64) -> u64 {
        let begins = match later.checked_sub(1) {
            None => self.opened,
            Some(more) => self.closes + i128::from(more) * i128::from(self.per_ns),
        };
        self.instant(begins + i128::from(parts))
    }

    fn instant(&self, parts: i128) -> u64 {
        let slices = i128::from(self.slices);
        let up = parts.div_euclid(slices) + i128::from(parts.rem_euclid(slices) != 0);
        u64::try_from(up.max(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
