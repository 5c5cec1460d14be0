//! The verdict on an application, from whether it answered. Pure.

use std::time::Duration;

/// Rest between two looks at an application that is fit, and at any other: whoever may be out of step is looked at soon.
const FIT: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(1);
/// Failures in a row that make it unfit, and answers in a row that make it fit again; the first look decides at once.
const UNFIT_AFTER: u32 = 2;
const FIT_AFTER: u32 = 2;

/// Whether an application is fit to be called.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    is_fit: Option<bool>,
    /// Looks in a row that say otherwise.
    contrary: u32,
}

impl Verdict {
    /// Takes a look in; true when the verdict is another one now, or the first.
    pub(super) fn observe(&mut self, answers: bool) -> bool {
        if self.is_fit == Some(answers) {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        let needed = match (self.is_fit, answers) {
            (None, _) => 1,
            (Some(_), true) => FIT_AFTER,
            (Some(_), false) => UNFIT_AFTER,
        };
        let is_decided = self.contrary >= needed;
        if is_decided {
            *self = Self {
                is_fit: Some(answers),
                contrary: 0,
            };
        }
        is_decided
    }

    /// Whether it may be called; until the first look nothing speaks against it.
    pub(super) fn is_fit(&self) -> bool {
        self.is_fit != Some(false)
    }

    /// Time until the next look.
    pub(super) fn rest(&self) -> Duration {
        let is_certain = self.is_fit() && self.contrary == 0;
        if is_certain { FIT } else { SOON }
    }
}

#[cfg(test)]
mod tests;
