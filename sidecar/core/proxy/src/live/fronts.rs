//! What stands in front of our applications: for each service, and for those of its routes that have figures of their own.

use std::rc::Rc;
use std::sync::Arc;

use policy::backpressure::Params;

use crate::clock::Clock;
use crate::config::{Backpressure, Inbound, RouteRule, Scope, ServiceName, Standing};
use crate::front::{Approach, Front};

/// All that stands, or all that would if the policies in shadow acted too.
#[derive(Debug, Default)]
pub(crate) struct Fronts(Vec<Place>);

/// How requests of a service, or those of a route or of a rule, come to what stands there.
#[derive(Debug)]
struct Place {
    service: ServiceName,
    scope: Option<Scope>,
    approach: Approach,
    /// Whether nobody but these requests, and those of its rules, comes to that front.
    is_own: bool,
}

impl Fronts {
    /// What each service says. Who runs or waits at a place of `old` stays so; where nothing is said any more of those
    /// who wait, they run.
    pub(super) fn new<'a>(
        services: impl Iterator<Item = &'a Arc<Inbound>>,
        which: Standing,
        old: &Self,
        clock: Clock,
    ) -> Self {
        let mut fronts = Self::default();
        for inbound in services {
            for (scope, rules) in inbound.standing(which) {
                fronts.add(&inbound.service, scope, rules, old, clock);
            }
        }
        let own = old.0.iter().filter(|place| place.is_own);
        for place in own.filter(|place| !fronts.covers(place)) {
            place.approach.front.reconfigure(Params::NONE);
        }
        fronts
    }

    /// Whether something is said of the requests of a place.
    fn covers(&self, place: &Place) -> bool {
        let found = match &place.scope {
            None => self.at(&place.service),
            Some(scope) => self.under(&place.service, scope),
        };
        found.is_some()
    }

    /// The same figures as those of more requests are one front for all of them.
    fn add(
        &mut self,
        service: &ServiceName,
        scope: Option<&Scope>,
        rules: &Backpressure,
        old: &Self,
        clock: Clock,
    ) {
        if self.of(service).any(|place| place.scope.as_ref() == scope) {
            // It is the same at another port.
            return;
        }
        let broader = scope.and_then(|scope| self.broader(service, scope));
        let shared = broader.filter(|broader| broader.rules.params == rules.params);
        let is_own = shared.is_none();
        let front = match shared {
            Some(shared) => Rc::clone(&shared.front),
            None => old.kept(service, scope, rules, clock),
        };
        self.0.push(Place {
            service: service.clone(),
            scope: scope.cloned(),
            approach: Approach {
                front,
                rules: Rc::new(rules.clone()),
            },
            is_own,
        });
    }

    /// What stands there already, with these figures from now on, or something new.
    fn kept(
        &self,
        service: &ServiceName,
        scope: Option<&Scope>,
        rules: &Backpressure,
        clock: Clock,
    ) -> Rc<Front> {
        let mut own = self.of(service).filter(|place| place.is_own);
        match own.find(|place| place.scope.as_ref() == scope) {
            Some(place) => {
                place.approach.front.reconfigure(rules.params);
                Rc::clone(&place.approach.front)
            }
            None => Front::new(rules.params, clock),
        }
    }

    fn of(&self, service: &ServiceName) -> impl Iterator<Item = &Place> {
        self.0.iter().filter(move |place| place.service == *service)
    }

    fn broader(&self, service: &ServiceName, scope: &Scope) -> Option<&Approach> {
        let others = self.of(service);
        let within = others.filter(|place| scope.is_within(place.scope.as_ref()));
        within
            .max_by_key(|place| place.depth())
            .map(Place::approach)
    }

    /// How requests of a service come to what stands there, unless something is said of their route.
    pub(super) fn at(&self, service: &ServiceName) -> Option<&Approach> {
        let mut places = self.of(service);
        places
            .find(|place| place.scope.is_none())
            .map(Place::approach)
    }

    /// How requests of a route or of a rule do, as far as nothing is said of fewer of them.
    pub(super) fn under(&self, service: &ServiceName, scope: &Scope) -> Option<&Approach> {
        let is_it = |place: &&Place| place.scope.as_ref() == Some(scope);
        let own = self.of(service).find(is_it).map(Place::approach);
        own.or_else(|| self.broader(service, scope))
    }

    /// How requests of a rule do.
    pub(crate) fn by(&self, service: &ServiceName, rule: &RouteRule) -> Option<&Approach> {
        let covers = |scope: &Scope| scope.covers(rule);
        let places = self.of(service);
        let covering = places.filter(|place| place.scope.as_ref().is_none_or(covers));
        covering
            .max_by_key(|place| place.depth())
            .map(Place::approach)
    }

    /// Each front, the service that it is of, and the route or rule that has it for itself.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ServiceName, Option<&Scope>, &Front)> {
        let own = self.0.iter().filter(|place| place.is_own);
        own.map(|place| (&place.service, place.scope.as_ref(), &*place.approach.front))
    }
}

impl Place {
    const fn approach(&self) -> &Approach {
        &self.approach
    }

    /// How few of the requests it is for: of a rule the fewest.
    fn depth(&self) -> usize {
        let scope = self.scope.as_ref();
        scope.map_or(0, |scope| 1 + usize::from(scope.rule.is_some()))
    }
}

#[cfg(test)]
mod tests;
