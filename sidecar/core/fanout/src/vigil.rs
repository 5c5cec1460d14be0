//! Whether the control plane behind the front stands still, though the front does not. Pure.
//!
//! Its event loop beats as long as it goes round. A front that goes on without it would answer pings for somebody who
//! answers nothing else, and keep sidecars from going where they are served.

/// Looks in a row without a beat after which it stands still.
pub(crate) const LOOKS: u32 = 8;

/// The beats that were heard.
#[derive(Debug, Default)]
pub(crate) struct Vigil {
    heard: u64,
    missed: u32,
}

impl Vigil {
    /// Takes a look, at so many beats since the start; true when it is found to stand still, again after as many looks.
    ///
    /// Looks count rather than time, which may pass while nobody gets to do anything.
    pub(crate) const fn is_over(&mut self, beats: u64) -> bool {
        if beats == 0 || beats != self.heard {
            self.heard = beats; // it has not begun, or goes on
            self.missed = 0;
            return false;
        }
        self.missed = (self.missed + 1) % LOOKS;
        self.missed == 0
    }
}

#[cfg(test)]
mod tests;
