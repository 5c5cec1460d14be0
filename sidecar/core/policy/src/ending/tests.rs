use super::*;

const fn http(status: u16) -> Ending {
    Ending::Response { status, code: None }
}

const fn grpc(code: Code) -> Ending {
    Ending::Response {
        status: 200,
        code: Some(code),
    }
}

fn endings_that_count_as(outcome: Outcome, endings: &[Ending]) -> Vec<Ending> {
    let failures = default_failures();
    endings
        .iter()
        .copied()
        .filter(|ending| ending.outcome(&failures) == outcome)
        .collect()
}

#[test]
fn four_statuses_are_failures_and_429_is_not() {
    let all: Vec<_> = (100..600).map(http).collect();
    assert_eq!(
        endings_that_count_as(Outcome::Failure, &all),
        [500, 502, 503, 504].map(http)
    );
    assert_eq!(endings_that_count_as(Outcome::Success, &all).len(), 496);
}

#[test]
fn five_grpc_codes_in_trailers_are_failures_and_resource_exhausted_is_not() {
    let all: Vec<_> = (0..=16).filter_map(Code::from_number).map(grpc).collect();
    let failures = [
        Code::Unknown,
        Code::DeadlineExceeded,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
    ];
    assert_eq!(
        endings_that_count_as(Outcome::Failure, &all),
        failures.map(grpc)
    );
}

#[test]
fn connection_failures_and_our_own_timeouts_are_failures() {
    let all = [
        Ending::ConnectFailure,
        Ending::ConnectTimeout,
        Ending::RefusedStream,
        Ending::Reset,
        Ending::PerTryTimeout,
        Ending::RequestTimeout,
        Ending::Truncated,
    ];
    assert_eq!(endings_that_count_as(Outcome::Failure, &all), all);
}

#[test]
fn refusals_and_departures_never_feed_a_breaker() {
    let all = [
        Ending::GoAway,
        Ending::CallerDeadline,
        Ending::PeerRefusal { elsewhere: true },
        Ending::PeerRefusal { elsewhere: false },
        Ending::LocalRefusal,
        Ending::ClientLeft,
    ];
    assert_eq!(endings_that_count_as(Outcome::Uncounted, &all), all);
}

#[test]
fn a_list_of_failures_replaces_the_default_one() {
    let failures = Conditions::parse(["429", "Reset", "NotFound"]).unwrap();
    assert_eq!(http(429).outcome(&failures), Outcome::Failure);
    assert_eq!(http(503).outcome(&failures), Outcome::Success);
    assert_eq!(grpc(Code::NotFound).outcome(&failures), Outcome::Failure);
    assert_eq!(Ending::Truncated.outcome(&failures), Outcome::Failure);
    assert_eq!(
        Ending::ConnectFailure.outcome(&failures),
        Outcome::Uncounted
    );
}

#[test]
fn a_peers_queue_and_drain_concern_that_peer_and_its_limits_everybody() {
    for word in [
        "draining",
        "queue.full",
        "queue.codel",
        "shed.class",
        "upstream.connect",
    ] {
        assert!(may_succeed_elsewhere(word), "{word}");
    }
    for word in [
        "ratelimit.token",
        "deadline.exhausted",
        "breaker.open",
        "authz.denied",
        "proxy.limit",
    ] {
        assert!(!may_succeed_elsewhere(word), "{word}");
    }
}
