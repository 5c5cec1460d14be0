use super::*;
use crate::balancer::{self, Balancer};
use crate::breaker::{Params as BreakerParams, State};
use crate::{Outcome, Reason};

mod algorithms;
mod elsewhere;

const SECOND: u64 = 1_000_000_000;
const OPEN: u64 = 30 * SECOND;

struct Endpoint {
    breaker: Option<Breaker>,
    load: Load,
    record: outlier::Record,
}

impl Member for Endpoint {
    fn breaker(&self) -> Option<&Breaker> {
        self.breaker.as_ref()
    }

    fn breaker_mut(&mut self) -> Option<&mut Breaker> {
        self.breaker.as_mut()
    }

    fn load(&self) -> &Load {
        &self.load
    }

    fn outlier(&self) -> Option<&outlier::Record> {
        Some(&self.record)
    }
}

fn params() -> BreakerParams {
    let mut params = BreakerParams::default();
    params.open.jitter = Percent::new(0);
    params
}

fn endpoints(count: usize) -> Vec<Endpoint> {
    (0..count)
        .map(|_| Endpoint {
            breaker: Some(Breaker::new(params())),
            load: Load::new(0),
            record: outlier::Record::default(),
        })
        .collect()
}

fn open(endpoint: &mut Endpoint, now_ns: u64) {
    let breaker = endpoint.breaker.as_mut().unwrap();
    while breaker.state() != State::Open {
        let permit = breaker.admit(now_ns, 0).unwrap();
        breaker.on_result(permit, Outcome::Failure, 0, now_ns, 0);
    }
}

fn pick(
    readiness: &Readiness,
    members: &mut [Endpoint],
    now_ns: u64,
    draw: u64,
) -> Result<Picked, Reason> {
    let ask = Ask {
        now_ns,
        draw,
        ..Ask::default()
    };
    readiness.pick(members, &mut Balancer::default(), &ask)
}

fn pick_beside(
    readiness: &Readiness,
    members: &mut [Endpoint],
    avoid: u32,
    draw: u64,
) -> Result<Picked, Reason> {
    let ask = Ask {
        avoid: Some(avoid),
        draw,
        ..Ask::default()
    };
    readiness.pick(members, &mut Balancer::default(), &ask)
}

fn verdicts(count: usize, opened: &[usize]) -> (Readiness, Vec<u32>) {
    let mut members = endpoints(count);
    for (order, &position) in opened.iter().enumerate() {
        open(&mut members[position], order as u64);
    }
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, SECOND);
    let ready = readiness.ready(None).to_vec();
    (readiness, ready)
}

#[test]
fn an_open_endpoint_is_ejected() {
    let (_, ready) = verdicts(3, &[1]);
    assert_eq!(ready, [0, 2]);
}

#[test]
fn a_ceiling_that_rounds_to_zero_still_ejects_one() {
    let (_, ready) = verdicts(2, &[0]);
    assert_eq!(ready, [1]);
}

#[test]
fn beyond_the_ceiling_open_endpoints_are_kept_the_first_opened_goes_first() {
    let (readiness, ready) = verdicts(8, &[5, 2]);
    assert_eq!(ready, [0, 1, 2, 3, 4, 6, 7]);
    assert_eq!(readiness.verdict(2), Verdict::Kept);
    let (_, ready) = verdicts(20, &[5, 2, 9]);
    assert_eq!(ready.len(), 18);
}

#[test]
fn the_last_endpoint_is_never_ejected() {
    let (readiness, ready) = verdicts(1, &[0]);
    assert_eq!(ready, [0]);
    assert_eq!(readiness.verdict(0), Verdict::Kept);
}

#[test]
fn below_half_healthy_ejection_is_ignored_with_an_event() {
    let mut members = endpoints(4);
    let mut readiness = Readiness::new(Params::default());
    (0..2).for_each(|position| open(&mut members[position], 0));
    assert_eq!(readiness.refresh(&members, 0), None);
    assert_eq!(readiness.ready(None).len(), 3);
    open(&mut members[2], 0);
    readiness.invalidate();
    assert_eq!(readiness.refresh(&members, 0), Some(PanicChange::Began));
    assert_eq!(readiness.ready(None).len(), 4);
    assert_eq!(readiness.refresh(&members, OPEN), Some(PanicChange::Ended));
}

#[test]
fn an_ejected_endpoint_returns_for_its_probes_when_its_open_time_ends() {
    let mut members = endpoints(2);
    open(&mut members[0], 0);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, 0);
    assert_eq!(readiness.ready(None), [1]);
    readiness.refresh(&members, OPEN - 1);
    assert_eq!(readiness.ready(None), [1]);
    readiness.refresh(&members, OPEN);
    assert_eq!(readiness.ready(None), [0, 1]);
}

#[test]
fn an_endpoint_breaker_sees_the_call_that_closes_it_however_bad_its_load() {
    let mut members = endpoints(2);
    open(&mut members[0], 0);
    members[0].load.begin();
    members[0].load.end(balancer::LONGEST_PENALTY_NS, OPEN);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, OPEN);
    for _ in 0..3 {
        let picked = pick(&readiness, &mut members, OPEN, 1).unwrap();
        assert_eq!(picked.endpoint, 0);
        let breaker = members[0].breaker.as_mut().unwrap();
        breaker.on_result(picked.permit, Outcome::Success, 0, OPEN, 0);
    }
    assert_eq!(
        members[0].breaker.as_ref().map(Breaker::state),
        Some(State::Closed)
    );
}

#[test]
fn a_half_open_endpoint_without_a_free_place_is_skipped_not_refused() {
    let mut members = endpoints(2);
    open(&mut members[0], 0);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, OPEN);
    let picks: Vec<_> = (0..5)
        .map(|draw| pick(&readiness, &mut members, OPEN, draw << 60))
        .collect();
    let endpoints: Vec<_> = picks
        .iter()
        .flatten()
        .map(|picked| picked.endpoint)
        .collect();
    assert_eq!(endpoints, [0, 0, 0, 1, 1]);
}

#[test]
fn when_every_endpoint_is_half_open_and_full_the_attempt_is_refused() {
    let mut members = endpoints(1);
    open(&mut members[0], 0);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, OPEN);
    let out: Vec<_> = (0..3)
        .map(|_| pick(&readiness, &mut members, OPEN, 0).unwrap())
        .collect();
    let refused = pick(&readiness, &mut members, OPEN, 0).unwrap_err();
    assert_eq!((out.len(), refused), (3, Reason::BreakerHalfOpenFull));
}

#[test]
fn a_kept_endpoint_lets_calls_through_uncounted() {
    let mut members = endpoints(1);
    open(&mut members[0], 0);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, SECOND);
    let picked = pick(&readiness, &mut members, SECOND, 0).unwrap();
    let breaker = members[0].breaker.as_mut().unwrap();
    breaker.on_result(picked.permit, Outcome::Success, 0, SECOND, 0);
    assert_eq!(
        (breaker.state(), breaker.until_ns()),
        (State::Open, Some(OPEN))
    );
}

#[test]
fn without_endpoints_nothing_is_picked() {
    let mut readiness = Readiness::new(Params::default());
    assert_eq!(readiness.refresh(&endpoints(0), 0), None);
    let refused = pick(&readiness, &mut endpoints(0), 0, 0).unwrap_err();
    assert_eq!(refused, Reason::UpstreamNoEndpoints);
}

#[test]
fn the_endpoint_just_tried_is_picked_only_when_no_other_can_be() {
    let mut members = endpoints(3);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, 0);
    for draw in 0..64 {
        let picked = pick_beside(&readiness, &mut members, 1, draw << 58).unwrap();
        assert_ne!(picked.endpoint, 1);
    }
    assert!(readiness.has_another(None, 1));
    members.truncate(1);
    readiness.refresh(&members, 0);
    assert_eq!(
        pick_beside(&readiness, &mut members, 0, 0)
            .unwrap()
            .endpoint,
        0
    );
    assert!(!readiness.has_another(None, 0));
}

#[test]
fn endpoints_without_breakers_are_always_ready() {
    let mut members = vec![Endpoint {
        breaker: None,
        load: Load::new(0),
        record: outlier::Record::default(),
    }];
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, 0);
    assert_eq!(pick(&readiness, &mut members, 0, 0).unwrap().endpoint, 0);
}

fn detector() -> outlier::Detector {
    let params = outlier::Params {
        interval_ns: 10 * SECOND,
        consecutive_failures: Some(1),
        consecutive_gateway_failures: None,
        connect_failures: None,
        success_rate: None,
        failure_percentage: None,
        latency: None,
        base_ns: OPEN,
        max_ns: 10 * OPEN,
    };
    outlier::Detector::new(params, 0)
}

fn eject(endpoint: &mut Endpoint, now_ns: u64) {
    detector().on_result(&mut endpoint.record, outlier::Signal::Failure, 0, now_ns);
}

#[test]
fn an_outlier_and_an_open_breaker_share_one_ceiling() {
    let mut members = endpoints(12);
    open(&mut members[4], SECOND);
    eject(&mut members[2], 0);
    eject(&mut members[4], 2 * SECOND);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, 3 * SECOND);
    assert_eq!(readiness.verdict(2), Verdict::Ejected);
    assert_eq!(readiness.verdict(4), Verdict::Kept);
}

#[test]
fn the_closed_breaker_of_an_outlier_that_is_kept_still_counts() {
    let mut members = endpoints(1);
    eject(&mut members[0], 0);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, SECOND);
    for _ in 0..5 {
        let picked = pick(&readiness, &mut members, SECOND, 0).unwrap();
        let breaker = members[0].breaker.as_mut().unwrap();
        breaker.on_result(picked.permit, Outcome::Failure, 0, SECOND, 0);
    }
    assert_eq!(members[0].breaker.as_ref().unwrap().state(), State::Open);
}

#[test]
fn an_outlier_that_returned_takes_its_share_of_its_turns() {
    let mut members = endpoints(2);
    for member in &mut members {
        member.breaker = None;
    }
    eject(&mut members[0], 0);
    let mut readiness = Readiness::new(Params::default());
    let mut turns = |now_ns: u64| {
        readiness.refresh(&members, now_ns);
        let draws = (0..4_000u64).map(|step| step.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let picked = draws.map(|draw| pick(&readiness, &mut members, now_ns, draw).unwrap());
        picked.filter(|picked| picked.endpoint == 0).count()
    };
    let whole = turns(OPEN + 30 * SECOND);
    let shares = [0, 10, 20].map(|second| turns(OPEN + second * SECOND) * 100 / whole);
    for (found, expected) in shares.into_iter().zip([10, 25, 50]) {
        assert!(found.abs_diff(expected) <= 3, "{shares:?}");
    }
}

/// How many of 10,000 calls, one after the other, come to the endpoint that waits for its first answer.
fn calls_to_the_idle_one(members: &mut [Endpoint], readiness: &Readiness, now_ns: u64) -> u32 {
    let draws = (0..10_000u64).map(|step| step.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let picked = draws.map(|draw| pick(readiness, members, now_ns, draw).unwrap());
    picked.filter(|picked| picked.endpoint == 0).count() as u32
}

#[test]
fn an_outlier_that_returned_takes_no_more_than_its_share_though_it_is_idle() {
    for count in [2, 5] {
        let mut members = endpoints(count);
        eject(&mut members[0], 0);
        members[0].load.restart(0, OPEN);
        let mut readiness = Readiness::new(Params::default());
        for (step, share) in (0..).zip([10, 25, 50]) {
            let now_ns = OPEN + step * 10 * SECOND;
            readiness.refresh(&members, now_ns);
            let found = calls_to_the_idle_one(&mut members, &readiness, now_ns);
            let fair = 100 * share / count as u32;
            assert!(found.abs_diff(fair) <= fair / 5, "{found} of {fair}");
        }
    }
}

#[test]
fn of_two_that_returned_neither_takes_what_the_other_gives_away() {
    let mut members = endpoints(3);
    eject(&mut members[0], 0);
    eject(&mut members[1], 0);
    let mut readiness = Readiness::new(Params::default());
    readiness.refresh(&members, OPEN);
    let found = calls_to_the_idle_one(&mut members, &readiness, OPEN);
    assert!(found.abs_diff(333) <= 70, "{found}");
}

#[test]
fn an_outlier_that_is_kept_has_its_whole_share() {
    let mut members = endpoints(2);
    eject(&mut members[0], 0);
    eject(&mut members[1], 1);
    let mut readiness = Readiness::new(Params::default());
    assert_eq!(
        readiness.refresh(&members, SECOND),
        Some(PanicChange::Began)
    );
    let mut picks = [0_u32; 2];
    for step in 0..4_000u64 {
        let draw = step.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let picked = pick(&readiness, &mut members, SECOND, draw).unwrap();
        picks[picked.endpoint as usize] += 1;
    }
    assert!(picks[0].abs_diff(2_000) < 200, "{picks:?}");
}
