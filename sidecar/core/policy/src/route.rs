//! Routes: which rule a request falls under, by the Gateway API's own precedence.
//!
//! Every match of every rule of every route is one entry of a [`Table`], sorted once: the more specific match
//! first, then the older route, then `namespace/name` in alphabetical order, then the rule that stands first.
//! The first entry that a request meets decides.

mod matcher;
mod words;

pub use matcher::{Field, Matcher, Path, Request, Text};

/// One rule of one route, as far as precedence asks.
#[derive(Clone, Debug)]
pub struct Rule {
    /// When the route was made, nanoseconds of Unix time; routes from files have none, and come last.
    pub created_ns: Option<u64>,
    /// `namespace/name` of the route.
    pub route: Box<str>,
    /// Its matches; one that has none takes every request.
    pub matches: Vec<Matcher>,
}

/// Rules in the order of their precedence.
#[derive(Clone, Debug, Default)]
pub struct Table {
    entries: Vec<(Matcher, usize)>,
}

impl Table {
    /// The table of rules; those of one route in the order in which they stand in it.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        let mut entries: Vec<(Matcher, usize)> = rules
            .iter()
            .enumerate()
            .flat_map(|(at, rule)| matches_of(rule).map(move |matcher| (matcher, at)))
            .collect();
        entries.sort_by_cached_key(|(matcher, at)| {
            let rule = &rules[*at];
            let age = rule.created_ns.unwrap_or(u64::MAX);
            (matcher.rank(), age, rule.route.clone(), *at)
        });
        Self { entries }
    }

    /// The rule that a request falls under, by its position among those the table was made of.
    pub fn find(&self, request: &impl Request) -> Option<usize> {
        let met = |entry: &&(Matcher, usize)| entry.0.is_met_by(request);
        self.entries.iter().find(met).map(|entry| entry.1)
    }
}

fn matches_of(rule: &Rule) -> impl Iterator<Item = Matcher> + '_ {
    let everything = rule.matches.is_empty().then(Matcher::default);
    rule.matches.iter().cloned().chain(everything)
}

#[cfg(test)]
mod tests;
