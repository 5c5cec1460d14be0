//! Weighted choice in turn: smooth, not random, and exact.
//!
//! **Theory of operation.** Everybody has a *credit*. At each turn everybody in it is credited its weight, the
//! one with most credit is chosen (the first of equals) and pays what all were credited together. Over any W
//! turns in a row, W the sum of the weights over their greatest common divisor, each is chosen exactly weight
//! over that divisor times, and its turns are spread as evenly as they can be (the smooth weighted round robin
//! of nginx). Those that sit out a turn neither gain nor pay.

/// The credits of a set whose weights are given at each turn.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    credits: Vec<i64>,
}

impl Turns {
    /// Chooses one of the first `count`; none when nobody has a weight.
    ///
    /// A weight of zero is never chosen. Costs one step for each.
    pub fn next(&mut self, count: usize, weight: impl Fn(usize) -> u32) -> Option<usize> {
        self.credits.resize(count, 0);
        let mut chosen = None;
        let mut most = i64::MIN;
        let mut credited = 0;
        for (at, credit) in self.credits.iter_mut().enumerate() {
            let weight = i64::from(weight(at));
            if weight == 0 {
                continue;
            }
            *credit += weight;
            credited += weight;
            if *credit > most {
                most = *credit;
                chosen = Some(at);
            }
        }
        self.credits[chosen?] -= credited;
        chosen
    }

    /// Forgets the credits: what counted under other weights says nothing under new ones.
    pub fn restart(&mut self) {
        self.credits.clear();
    }
}

#[cfg(test)]
mod tests;
