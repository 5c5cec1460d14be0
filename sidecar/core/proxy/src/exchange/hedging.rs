//! Hedging: a second attempt beside a slow one. The exchange decides for the attempt that is current; its driver
//! switches between the two while both are under way.

use policy::ending::Ending;
use policy::hedge;

use super::{Attempt, Destination, Exchange, peer};
use crate::request::Response;
use crate::stages::retry;
use crate::stages::route::Route;
use crate::tally::{AttemptResult, HedgeResult};
use crate::upstream::InUse;

/// The attempt beside the current one, with its place among a capped cluster's connections.
#[derive(Debug)]
pub(super) struct Rival {
    pub(super) attempt: Attempt,
    connection: Option<InUse>,
}

impl Exchange {
    /// When a second attempt is due beside the one that was just begun; never for most.
    pub(crate) fn hedge_at_ns(&mut self, has_whole_body: bool) -> Option<u64> {
        self.foresee_hedge(has_whole_body);
        let cluster = &self.route.as_ref()?.cluster;
        let block = cluster.config.hedge.as_ref()?;
        if !self.tries.is_hedgeable(has_whole_body) {
            return None;
        }
        let recent = &mut cluster.recent.as_ref()?.borrow_mut();
        let delay_ns = block.params.after.delay_ns(recent, self.now_ns)?;
        Some(self.now_ns.saturating_add(delay_ns))
    }

    /// Begins the second attempt, which becomes the current one; none if budget, breakers or endpoints refuse it.
    pub(crate) fn hedge(&mut self) -> Option<Destination> {
        if self.tries.is_passed_on {
            return None;
        }
        self.now_ns = self.worker.clock.now_ns();
        let route = self.route.clone()?;
        let begun = self.begin_rival(&route);
        if begun.is_none() {
            self.record.flight.tally().count_hedge(HedgeResult::Refused);
        }
        begun
    }

    fn begin_rival(&mut self, route: &Route) -> Option<Destination> {
        let budget = route.cluster.budget.as_ref()?;
        let service = route.cluster.breaker.as_ref();
        let service = service.map(|guard| guard.borrow().machine.state());
        let breakers = service.into_iter().chain(route.endpoints.breaker_states());
        let spent = hedge::pay(breakers, &mut budget.borrow_mut(), self.now_ns)?;
        let (first, connection) = (self.current.take()?, self.connection.take());
        let Ok(to) = self.begin_attempt() else {
            budget.borrow_mut().refund(spent);
            (self.current, self.connection) = (Some(first), connection);
            return None;
        };
        self.tries.note_hedged(budget, spent);
        if let Some(foreseen) = &mut self.foreseen {
            foreseen.note_hedged();
        }
        self.rival = Some(Box::new(Rival {
            attempt: first,
            connection,
        }));
        Some(to)
    }

    /// Whether two attempts are under way.
    pub(crate) const fn has_rival(&self) -> bool {
        self.rival.is_some()
    }

    /// Makes the attempt beside the current one the current one.
    pub(crate) fn switch(&mut self) {
        if let (Some(rival), Some(current)) = (&mut self.rival, &mut self.current) {
            std::mem::swap(&mut rival.attempt, current);
            std::mem::swap(&mut rival.connection, &mut self.connection);
        }
    }

    /// Whether the other attempt may bring a better answer than this one of the current attempt.
    pub(crate) fn is_poor(&self, response: &dyn Response) -> bool {
        let Some(attempt) = &self.current else {
            return false;
        };
        let is_from_sidecar = attempt.picked.has_sidecar;
        let ending = peer::ending_of(response, is_from_sidecar, self.traits.is_grpc);
        let block = self.config().and_then(|config| config.retry.as_ref());
        let is_tried_again = block.is_some_and(|block| {
            let asked = retry::Asked::read(response, is_from_sidecar, self.unix_ns());
            retry::concerns(&block.params, &ending, &asked)
        });
        let is_refusal = matches!(ending, Ending::PeerRefusal { .. });
        is_refusal || is_tried_again || peer::has_failed(&ending)
    }

    /// The current attempt brought this answer, and the other one goes on alone.
    pub(crate) fn pass_over(&mut self, response: &dyn Response) {
        self.now_ns = self.worker.clock.now_ns();
        self.note_headers(response);
        self.settle();
        self.go_on_alone(self.if_rival_is_left());
    }

    /// The current attempt failed so, or ran out of its time, and the other one goes on alone.
    pub(crate) fn drop_out(&mut self, ending: Option<Ending>) {
        self.now_ns = self.worker.clock.now_ns();
        let expired = self.headers_by().map(|by| by.ending);
        if let (Some(attempt), Some(ending)) = (&mut self.current, ending.or(expired)) {
            attempt.ending = ending;
        }
        self.settle();
        self.go_on_alone(self.if_rival_is_left());
    }

    /// The current attempt found no place among the cluster's connections: the other one goes on alone.
    pub(crate) fn stand_down(&mut self) {
        let hedge = match self.if_rival_is_left() {
            HedgeResult::Lost => HedgeResult::Refused,
            other => other,
        };
        self.unmake_attempt();
        self.go_on_alone(hedge);
    }

    /// The current attempt was answered: the other one has lost, and is reset.
    pub(crate) fn prevail(&mut self) {
        let Some(rival) = self.rival.take() else {
            return;
        };
        self.now_ns = self.worker.clock.now_ns();
        self.end_span(&rival.attempt);
        let Some(route) = &self.route else { return };
        let cluster = &route.cluster;
        let tally = self.record.flight.tally();
        tally.count_attempt(AttemptResult::Cancelled);
        // It took at least so long: left out, percentiles would fall with every hedge, and hedges rise.
        if let Some(recent) = &cluster.recent {
            let least_ns = self.now_ns.saturating_sub(rival.attempt.began_ns);
            recent.borrow_mut().record(least_ns, self.now_ns);
        }
        let hedge = match rival.attempt.number == self.tries.begun {
            true => HedgeResult::Lost,
            false => HedgeResult::Won,
        };
        self.note_survivor(hedge);
    }

    /// What has become of the second attempt once the one beside the current one is left alone.
    fn if_rival_is_left(&self) -> HedgeResult {
        let rival = self.rival.as_ref();
        match rival.is_some_and(|rival| rival.attempt.number == self.tries.begun) {
            true => HedgeResult::Won,
            false => HedgeResult::Lost,
        }
    }

    fn go_on_alone(&mut self, hedge: HedgeResult) {
        if let Some(rival) = self.rival.take() {
            (self.current, self.connection) = (Some(rival.attempt), rival.connection);
            self.note_survivor(hedge);
        }
    }

    /// One of two attempts is left.
    fn note_survivor(&mut self, hedge: HedgeResult) {
        let Some(survivor) = &self.current else {
            return;
        };
        self.tried = Some(survivor.picked.id);
        self.record.upstream = Some(survivor.picked.address);
        self.record.flight.tally().count_hedge(hedge);
    }
}
