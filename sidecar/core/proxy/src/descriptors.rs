//! Descriptors, of which a process has only so many: connections leave the last of them to others.
//!
//! The system gives each new descriptor the lowest number that is free (POSIX), so a number tells how many are in use,
//! whoever uses them, and nothing needs to be counted.

use std::cell::Cell;
use std::os::fd::AsRawFd;

/// How many descriptors there may be when a connection is begun or accepted.
#[derive(Debug)]
pub(crate) struct Descriptors {
    most: usize,
    missed: Cell<u64>,
}

impl Descriptors {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            most,
            missed: Cell::new(0),
        }
    }

    /// Whether a connection may keep its descriptor; it is closed otherwise, and leaves it to others.
    pub(crate) fn admit(&self, connection: &impl AsRawFd) -> bool {
        usize::try_from(connection.as_raw_fd()).is_ok_and(|number| number < self.most)
    }

    /// Counts a connection that came to nothing for want of a descriptor.
    pub(crate) fn count_missed(&self) {
        self.missed.set(self.missed.get() + 1);
    }

    pub(crate) fn missed(&self) -> u64 {
        self.missed.get()
    }
}

#[cfg(test)]
mod tests;
