//! Criticality: how much a request matters. What it says of itself counts for nothing unless its sender is verified;
//! the policy's classes tell.

use policy::Criticality;

use super::rate_limit::matching;
use crate::config::Class;
use crate::request::Request;

/// The class of a request: the first whose matches hold.
pub(crate) fn of(classes: &[Class], request: &dyn Request) -> Criticality {
    let mut classes = classes.iter();
    let class = classes.find(|class| matching::applies(&class.matches, request));
    class.map_or(Criticality::Default, |class| class.criticality)
}

#[cfg(test)]
mod tests;
