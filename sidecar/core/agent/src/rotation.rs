//! Which control plane is tried next, and after what rest. Pure.
//!
//! Control planes are tried in rounds, each in a random order, so that a fleet spreads over them. Within a round the
//! next one is tried at once; once all were, there is a rest. A control plane that served for a while and is lost
//! begins a round of the others: whoever is moved, or has lost one of several, is served again without a rest.

use std::time::Duration;

use crate::backoff::Backoff;

/// What is left of a round, and how many rounds have failed.
#[derive(Debug)]
pub(crate) struct Rotation<T> {
    untried: Vec<T>,
    backoff: Backoff,
    is_pushed_back: bool,
}

impl<T: PartialEq> Rotation<T> {
    /// The first round, over `all`; `draw` gives uniform numbers from 0 to 1.
    pub(crate) fn new(all: Vec<T>, draw: impl FnMut() -> f64) -> Self {
        Self {
            untried: shuffled(all, draw),
            backoff: Backoff::default(),
            is_pushed_back: false,
        }
    }

    /// The next to try at once; `None` when all were tried.
    pub(crate) fn next(&mut self) -> Option<T> {
        self.untried.pop()
    }

    /// One did not serve; `is_pushed_back` when it has asked to be spared.
    pub(crate) fn failed(&mut self, is_pushed_back: bool) {
        self.is_pushed_back |= is_pushed_back;
    }

    /// How long to rest before the next round.
    pub(crate) fn rest(&mut self, draw: f64) -> Duration {
        self.backoff.next(draw, self.is_pushed_back)
    }

    /// Begins a round over `all`.
    pub(crate) fn begin(&mut self, all: Vec<T>, draw: impl FnMut() -> f64) {
        self.untried = shuffled(all, draw);
        self.is_pushed_back = false;
    }

    /// `lost` has served for a while: begins a round over the others of `all`, with nothing held against anybody.
    pub(crate) fn begin_without(&mut self, lost: &T, mut all: Vec<T>, draw: impl FnMut() -> f64) {
        all.retain(|one| one != lost);
        self.backoff.reset();
        self.begin(all, draw);
    }
}

/// `all` in an order of which each is as likely.
fn shuffled<T>(mut all: Vec<T>, mut draw: impl FnMut() -> f64) -> Vec<T> {
    for last in (1..all.len()).rev() {
        let other = (draw() * (last + 1) as f64) as usize;
        all.swap(last, other.min(last));
    }
    all
}

#[cfg(test)]
mod tests;
