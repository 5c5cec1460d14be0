//! How much a request matters: the four classes of `breakwater-criticality`, the first most.

/// How much a request matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Criticality {
    /// Somebody waits for it, and money is lost without it.
    Critical,
    /// What says nothing.
    #[default]
    Default,
    /// Can be done without for a while.
    Sheddable,
    /// Nobody waits for it.
    Background,
}

/// How many classes there are.
pub const CLASSES: usize = 4;

impl Criticality {
    /// Every class, the most important first.
    pub const ALL: [Self; CLASSES] = [
        Self::Critical,
        Self::Default,
        Self::Sheddable,
        Self::Background,
    ];

    /// The word of the header field and of policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Default => "default",
            Self::Sheddable => "sheddable",
            Self::Background => "background",
        }
    }

    /// The class with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }

    /// The classes that matter less, the least important first.
    pub(crate) fn below(self) -> impl Iterator<Item = Self> {
        let from_the_end = Self::ALL.into_iter().rev();
        from_the_end.take_while(move |&class| class > self)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests;
