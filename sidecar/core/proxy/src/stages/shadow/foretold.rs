//! What is told of policies in shadow: counted by service, and written down with the request.

use std::cell::{Cell, RefCell};
use std::fmt::{Display, Formatter, Result};
use std::sync::Arc;

use policy::Reason;
use policy::readiness::Elsewhere;
use smallvec::SmallVec;

use crate::name::PolicyRef;
use crate::tally::increment;

/// What policies in shadow would have done.
#[derive(Debug, Default)]
pub(crate) struct Foretold {
    refused: RefCell<SmallVec<[(Reason, u64); 4]>>,
    /// Attempts that would have gone elsewhere, by the cause.
    elsewhere: [Cell<u64>; Elsewhere::ALL.len()],
    /// Attempts that would have been made again.
    pub(crate) retries: Cell<u64>,
    /// Attempts beside which another would have been made.
    pub(crate) hedges: Cell<u64>,
    /// Calls that something else would have answered.
    pub(crate) fallbacks: Cell<u64>,
    /// Calls that would have waited.
    pub(crate) waits: Cell<u64>,
}

/// One thing that would have been done to a call, beside refusing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// An attempt would have gone elsewhere.
    Elsewhere(Elsewhere),
    /// It would have been made again.
    Retry,
    /// Another one would have been made beside it.
    Hedge,
    /// Something else would have answered.
    FallBack,
}

/// What would have been done to one call, in order, and whose policy would have.
#[derive(Debug, Default)]
pub(crate) struct Deeds(Vec<(Deed, Option<Arc<PolicyRef>>)>);

impl Foretold {
    pub(crate) fn refuse(&self, reason: Reason) {
        let mut refused = self.refused.borrow_mut();
        match refused.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => refused.push((reason, 1)),
        }
    }

    /// Hands every reason and how often it was told to `each`.
    pub(crate) fn visit(&self, mut each: impl FnMut(Reason, u64)) {
        let refused = self.refused.borrow();
        refused
            .iter()
            .for_each(|(reason, count)| each(*reason, *count));
    }

    /// How many attempts would have gone elsewhere, by the cause.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = (Elsewhere, u64)> {
        let counts = self.elsewhere.iter().map(Cell::get);
        Elsewhere::ALL.into_iter().zip(counts)
    }

    const fn counter(&self, deed: Deed) -> &Cell<u64> {
        match deed {
            Deed::Elsewhere(cause) => &self.elsewhere[cause as usize],
            Deed::Retry => &self.retries,
            Deed::Hedge => &self.hedges,
            Deed::FallBack => &self.fallbacks,
        }
    }
}

impl Deeds {
    /// Counts and notes what would have been done.
    pub(crate) fn note(&mut self, told: &Foretold, deed: Deed, policy: Option<Arc<PolicyRef>>) {
        increment(told.counter(deed));
        self.0.push((deed, policy));
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, deed: Deed) -> bool {
        self.0.iter().any(|(noted, _)| *noted == deed)
    }
}

impl Display for Deed {
    fn fmt(&self, to: &mut Formatter<'_>) -> Result {
        match self {
            Self::Elsewhere(cause) => write!(to, "elsewhere.{}", cause.as_str()),
            Self::Retry => to.write_str("retry"),
            Self::Hedge => to.write_str("hedge"),
            Self::FallBack => to.write_str("fallback"),
        }
    }
}

impl Display for Deeds {
    fn fmt(&self, to: &mut Formatter<'_>) -> Result {
        for (place, (deed, policy)) in self.0.iter().enumerate() {
            let lead = if place == 0 { "" } else { "; " };
            write!(to, "{lead}{deed}")?;
            if let Some(policy) = policy {
                write!(to, " policy={policy}")?;
            }
        }
        Ok(())
    }
}
