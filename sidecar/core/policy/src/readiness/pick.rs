//! One endpoint for one attempt: the algorithm's choice, or whoever else admits it.

use super::pool::{Candidates, Pool};
use super::{Member, Readiness, Verdict, standing};
use crate::balancer::{self, Algorithm, Balancer};
use crate::breaker::{Breaker, Permit, Refusal, Standing};
use crate::{Reason, draw, percent};

/// Keeps the lot that decides between zones apart from that which decides on turns.
const ZONES: u64 = 0x5A4F_4E45;

/// What an attempt asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// The only endpoint that will do.
    pub only: Option<u32>,
    /// The endpoint just tried: picked when nothing else can be.
    pub avoid: Option<u32>,
    /// The instance group of the request.
    pub group: Option<usize>,
    /// What its endpoint is chosen by, where a hash decides.
    pub key: Option<u64>,
    /// The instant.
    pub now_ns: u64,
    /// Chance.
    pub draw: u64,
}

/// An endpoint picked, with the permit of its breaker.
#[derive(Debug)]
#[must_use = "the permit has to be given back"]
pub struct Picked {
    /// Its position in the set.
    pub endpoint: u32,
    /// The permit.
    pub permit: Permit,
}

impl Readiness {
    /// Picks one of the ready endpoints that admits the call: the algorithm's choice, else any.
    ///
    /// An endpoint that warms up or comes back lets some of its turns go to others. The error is the reason to refuse
    /// the attempt with.
    pub fn pick<M: Member>(
        &self,
        members: &mut [M],
        balancer: &mut Balancer,
        ask: &Ask,
    ) -> Result<Picked, Reason> {
        if let Some(only) = ask.only {
            let admitted = self.admit(members, only, ask);
            return admitted.map_err(|refusal| refusal.reason());
        }
        let endpoint = self
            .turn_by_weight(members, balancer, ask)
            .or_else(|| self.choose(members, balancer, ask))
            .ok_or(Reason::UpstreamNoEndpoints)?;
        if balancer.algorithm() == Algorithm::RoundRobin {
            balancer.note_turn(self.place_of(ask.group), endpoint);
        }
        self.admit(members, endpoint, ask)
            .or_else(|_| self.pick_any(members, ask))
            .map_err(|refusal| refusal.reason())
    }

    pub(super) fn choose<M: Member>(
        &self,
        members: &[M],
        balancer: &Balancer,
        ask: &Ask,
    ) -> Option<u32> {
        let pool = self.pool(ask.group)?;
        let candidates = pool.candidates(lot(ask.draw ^ ZONES), ask.avoid);
        if let [only] = candidates.positions() {
            return Some(*only);
        }
        match (balancer.algorithm(), ask.key) {
            (Algorithm::PeakEwma, _) => {
                let cost = |member: &M| member.load().cost(ask.now_ns, member.weight());
                self.better_of_two(members, candidates, ask, cost)
            }
            (Algorithm::LeastRequest, _) => {
                let cost = |member: &M| member.load().in_flight_of(member.weight());
                self.better_of_two(members, candidates, ask, cost)
            }
            (Algorithm::RoundRobin, _) => {
                let order = balancer.turn(self.place_of(ask.group), candidates.positions());
                self.first_in_turn(members, order, ask, ask.draw)
            }
            (Algorithm::RingHash | Algorithm::Maglev, Some(key)) => {
                let is_ready = |endpoint: &u32| pool.ready().contains(*endpoint);
                let order = balancer.walk(key).filter(is_ready);
                self.first_in_turn(members, order, ask, key)
            }
            _ => self.first_in_turn(members, walk(candidates, ask.draw), ask, ask.draw),
        }
    }

    /// Whose turn it is where some have more turns than others; none where all have as many, or that one has to pass.
    fn turn_by_weight<M: Member>(
        &self,
        members: &[M],
        balancer: &mut Balancer,
        ask: &Ask,
    ) -> Option<u32> {
        if balancer.algorithm() != Algorithm::RoundRobin {
            return None;
        }
        let candidates = self
            .pool(ask.group)?
            .candidates(lot(ask.draw ^ ZONES), ask.avoid);
        if !candidates.is_weighted() {
            return None;
        }
        let weight = |at: usize| match candidates.contains(at as u32) {
            true => members[at].weight(),
            false => 0,
        };
        let next = balancer.turn_by_weight(self.place_of(ask.group), members.len(), weight)?;
        let endpoint = next as u32;
        let takes =
            Some(endpoint) != ask.avoid && self.has_its_turn(members, endpoint, ask.draw, ask);
        takes.then_some(endpoint)
    }

    /// The cheaper of two, or the other one where that gives its turn away.
    ///
    /// One that has but a part of its share is idle, and would be the cheaper one wherever it is drawn, which is for twice
    /// a fair share of the calls: it takes its turn only where it is drawn first.
    ///
    /// A half-open endpoint with a free place for a probe wins, since only calls can close its breaker; one without
    /// loses.
    fn better_of_two<M: Member>(
        &self,
        members: &[M],
        candidates: &Candidates,
        ask: &Ask,
        of_load: impl Fn(&M) -> f64,
    ) -> Option<u32> {
        let cost = |endpoint: u32| {
            let member = &members[endpoint as usize];
            of_probe(member, ask.now_ns).unwrap_or_else(|| of_load(member))
        };
        let (one, other) = balancer::two_of(candidates.places(), ask.draw)?;
        let pair = (candidates.at(one), candidates.at(other));
        let (first, second) = balancer::cheaper(pair, ask.avoid, cost);
        let takes = |endpoint: u32| {
            let part = self.part_of_turns(members, endpoint, ask);
            let has_its_turn = || endpoint == pair.0 && lot(ask.draw) < part;
            Some(endpoint) != ask.avoid && (part == percent::WHOLE || has_its_turn())
        };
        if takes(first) {
            return Some(first);
        }
        if takes(second) {
            return Some(second);
        }
        self.first_in_turn(members, candidates.walk(one), ask, ask.draw)
    }

    /// The first of an order that is not to be avoided and takes its turn; else the first.
    fn first_in_turn<M: Member>(
        &self,
        members: &[M],
        order: impl Iterator<Item = u32> + Clone,
        ask: &Ask,
        chance: u64,
    ) -> Option<u32> {
        let is_other = |endpoint: &u32| Some(*endpoint) != ask.avoid;
        let takes = |endpoint: &u32| {
            is_other(endpoint) && self.has_its_turn(members, *endpoint, chance, ask)
        };
        let mut found = order.clone().find(takes);
        found = found.or_else(|| order.clone().find(is_other));
        found.or_else(|| order.clone().next())
    }

    /// Whether an endpoint takes its turn, by its share.
    fn has_its_turn<M: Member>(
        &self,
        members: &[M],
        endpoint: u32,
        chance: u64,
        ask: &Ask,
    ) -> bool {
        lot(chance) < self.part_of_turns(members, endpoint, ask)
    }

    /// How many of a million turns an endpoint takes; one that is kept although it is set aside takes all.
    fn part_of_turns<M: Member>(&self, members: &[M], endpoint: u32, ask: &Ask) -> u32 {
        match self.verdict(endpoint) {
            Verdict::Kept => percent::WHOLE,
            _ => members[endpoint as usize].share(ask.now_ns).millionths(),
        }
    }

    /// Asks every ready endpoint once, from a random one on, the one to avoid last.
    fn pick_any<M: Member>(&self, members: &mut [M], ask: &Ask) -> Result<Picked, Refusal> {
        let mut refusal = Refusal::HalfOpenFull;
        let Some(ready) = self.pool(ask.group).map(Pool::ready) else {
            return Err(refusal);
        };
        let is_other = |endpoint: &u32| Some(*endpoint) != ask.avoid;
        let last = ask.avoid.filter(|endpoint| ready.contains(*endpoint));
        for endpoint in walk(ready, ask.draw).filter(is_other).chain(last) {
            match self.admit(members, endpoint, ask) {
                Ok(picked) => return Ok(picked),
                Err(refused) => refusal = refused,
            }
        }
        Err(refusal)
    }

    fn admit<M: Member>(
        &self,
        members: &mut [M],
        endpoint: u32,
        ask: &Ask,
    ) -> Result<Picked, Refusal> {
        let is_kept = self.verdict(endpoint) == Verdict::Kept;
        let is_counted = |breaker: &&mut Breaker| {
            !is_kept || !matches!(breaker.standing(ask.now_ns), Standing::Open { .. })
        };
        let breaker = members[endpoint as usize].breaker_mut().filter(is_counted);
        let permit = breaker.map_or_else(
            || Ok(Permit::uncounted()),
            |breaker| breaker.admit(ask.now_ns, ask.draw),
        )?;
        Ok(Picked { endpoint, permit })
    }
}

/// Where in a whole chance has put a call.
fn lot(chance: u64) -> u32 {
    draw::up_to(draw::another(chance), u64::from(percent::WHOLE) - 1) as u32
}

/// Once around, from a random one on.
fn walk(candidates: &Candidates, draw: u64) -> impl Iterator<Item = u32> + Clone + '_ {
    candidates.walk(balancer::start_of_walk(candidates.places(), draw))
}

/// What an endpoint costs whose breaker probes.
fn of_probe(member: &impl Member, now_ns: u64) -> Option<f64> {
    let breaker = member
        .breaker()
        .filter(|_| standing(member, now_ns) == Standing::Probing)?;
    Some(if breaker.has_place() {
        -1.0
    } else {
        f64::INFINITY
    })
}
