//! One endpoint for one attempt: the algorithm's choice, or whoever else admits it.

use super::{Member, Readiness, Verdict, standing};
use crate::balancer::{self, Algorithm, Balancer, Load};
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
            .choose(members, balancer, ask)
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
        let candidates = pool.candidates(lot(ask.draw ^ ZONES));
        if let [only] = candidates {
            return Some(*only);
        }
        match (balancer.algorithm(), ask.key) {
            (Algorithm::PeakEwma, _) => {
                self.better_of_two(members, candidates, ask, |load| load.cost(ask.now_ns))
            }
            (Algorithm::LeastRequest, _) => {
                self.better_of_two(members, candidates, ask, |load| load.in_flight().into())
            }
            (Algorithm::RoundRobin, _) => {
                let order = balancer.turn(self.place_of(ask.group), candidates);
                self.first_in_turn(members, order, ask, ask.draw)
            }
            (Algorithm::RingHash | Algorithm::Maglev, Some(key)) => {
                let is_ready = |endpoint: &u32| pool.ready.binary_search(endpoint).is_ok();
                let order = balancer.walk(key).filter(is_ready);
                self.first_in_turn(members, order, ask, key)
            }
            _ => self.first_in_turn(members, walk(candidates, ask.draw), ask, ask.draw),
        }
    }

    /// The cheaper of two, or the other one where that gives its turn away.
    ///
    /// A half-open endpoint with a free place for a probe wins, since only calls can close its breaker; one without
    /// loses.
    fn better_of_two<M: Member>(
        &self,
        members: &[M],
        candidates: &[u32],
        ask: &Ask,
        of_load: impl Fn(&Load) -> f64,
    ) -> Option<u32> {
        let cost = |endpoint: u32| {
            let member = &members[endpoint as usize];
            of_probe(member, ask.now_ns).unwrap_or_else(|| of_load(member.load()))
        };
        let (first, second) = balancer::pick(candidates, ask.avoid, ask.draw, cost)?;
        Some(if self.has_its_turn(members, first, ask.draw, ask) {
            first
        } else {
            second
        })
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

    /// Whether an endpoint takes its turn, by its share; one that is kept although it is set aside always does.
    fn has_its_turn<M: Member>(
        &self,
        members: &[M],
        endpoint: u32,
        chance: u64,
        ask: &Ask,
    ) -> bool {
        let share = || members[endpoint as usize].share(ask.now_ns).millionths();
        self.verdict(endpoint) == Verdict::Kept || lot(chance) < share()
    }

    /// Asks every ready endpoint once, from a random one on, the one to avoid last.
    fn pick_any<M: Member>(&self, members: &mut [M], ask: &Ask) -> Result<Picked, Refusal> {
        let ready = self.ready(ask.group);
        let is_other = |endpoint: &u32| Some(*endpoint) != ask.avoid;
        let last = ask
            .avoid
            .filter(|endpoint| ready.binary_search(endpoint).is_ok());
        let mut refusal = Refusal::HalfOpenFull;
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
fn walk(endpoints: &[u32], draw: u64) -> impl Iterator<Item = u32> + Clone + '_ {
    let start = balancer::start_of_walk(endpoints.len() as u32, draw) as usize;
    let (before, after) = endpoints.split_at(start.min(endpoints.len()));
    after.iter().chain(before).copied()
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
