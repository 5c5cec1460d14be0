//! Which requests to a service something is for: all of them, those of one route, or those of one rule of it.

use std::fmt;
use std::sync::Arc;

use super::RouteRule;
use crate::name::PolicyRef;

/// The requests of a route, or of one rule of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The route.
    pub route: Arc<PolicyRef>,
    /// Name of the rule; `None`: the whole route.
    pub rule: Option<Box<str>>,
}

/// The requests that something a policy says is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// These alone; `None`: all.
    pub only: Option<Scope>,
    /// But not these, of which the same policy says it apart.
    pub except: Vec<Scope>,
}

/// How a request came to the service at which something is said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way<'a> {
    /// The rule that it falls under.
    pub(crate) rule: Option<&'a RouteRule>,
    /// Whether that leads it to another service, so that what is said of this one as a whole is not for it.
    pub(crate) leads_on: bool,
}

impl Scope {
    /// Whether requests of a rule belong to it.
    pub(crate) fn covers(&self, rule: &RouteRule) -> bool {
        let is_rule = |name: &str| *name == *rule.name;
        self.rule.as_deref().is_none_or(is_rule) && self.route.is_same_object(&rule.route)
    }

    /// Whether it is a part of the other, and not all of it.
    pub(crate) fn is_within(&self, other: Option<&Self>) -> bool {
        let is_within = |other: &Self| {
            other.rule.is_none() && self.rule.is_some() && self.route.is_same_object(&other.route)
        };
        other.is_none_or(is_within)
    }
}

/// Writes it as people name it: `namespace/route`, or `namespace/route/rule`.
impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.route)?;
        self.rule
            .as_ref()
            .map_or(Ok(()), |rule| write!(out, "/{rule}"))
    }
}

impl Reach {
    /// Of requests of this scope, or of all, those of which the same policy says nothing apart in one of `others`.
    pub fn new<'a>(only: Option<Scope>, others: impl Iterator<Item = &'a Scope>) -> Self {
        let except = others.filter(|other| other.is_within(only.as_ref()));
        Self {
            except: except
                .filter(|&other| Some(other) != only.as_ref())
                .cloned()
                .collect(),
            only,
        }
    }

    /// Whether it is for requests that came this way.
    pub(crate) fn includes(&self, way: Way<'_>) -> bool {
        let Some(rule) = way.rule else {
            return self.only.is_none();
        };
        let is_within = match &self.only {
            None => !way.leads_on,
            Some(only) => only.covers(rule),
        };
        is_within && !self.except.iter().any(|except| except.covers(rule))
    }
}

#[cfg(test)]
mod tests;
