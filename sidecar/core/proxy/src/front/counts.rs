//! What is counted of those who came to an application: plain cells, read between requests.

use std::cell::{Cell, RefCell};

use policy::criticality::CLASSES;
use policy::histogram::Histogram;
use policy::{Criticality, Reason};
use smallvec::SmallVec;

use crate::tally::increment;

/// Admissions, refusals and waits.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    admitted: [Cell<u64>; CLASSES],
    shed: RefCell<SmallVec<[(Criticality, Reason, u64); 4]>>,
    /// How long those waited who were admitted.
    pub(crate) waits: RefCell<Histogram>,
}

impl Counts {
    /// Counts one that was admitted after so long.
    pub(crate) fn admit(&self, class: Criticality, waited_ns: u64) {
        increment(&self.admitted[class as usize]);
        self.waits.borrow_mut().record(waited_ns);
    }

    /// Counts one that was refused.
    pub(crate) fn shed(&self, class: Criticality, reason: Reason) {
        let mut shed = self.shed.borrow_mut();
        let known = shed
            .iter_mut()
            .find(|known| (known.0, known.1) == (class, reason));
        match known {
            Some((.., count)) => *count += 1,
            None => shed.push((class, reason, 1)),
        }
    }

    /// How many of a class were admitted.
    pub(crate) const fn admitted(&self, class: Criticality) -> u64 {
        self.admitted[class as usize].get()
    }

    /// Hands every kind of refusal and its count to `each`.
    pub(crate) fn visit_shed(&self, mut each: impl FnMut(Criticality, Reason, u64)) {
        for (class, reason, count) in &*self.shed.borrow() {
            each(*class, *reason, *count);
        }
    }
}
