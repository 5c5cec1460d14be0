use super::*;
use crate::Percent;
use crate::backoff::Multiplier;
use crate::budget;
use crate::grpc::Code;

const MILLISECOND: u64 = 1_000_000;
const BASE: u64 = 25 * MILLISECOND;

fn params(strategy: Strategy) -> Params {
    Params {
        attempts: 2,
        when: Conditions::parse([
            "ConnectFailure",
            "RefusedStream",
            "Reset",
            "503",
            "Unavailable",
        ])
        .unwrap(),
        methods: [Method::Get, Method::Put].into_iter().collect(),
        backoff: Backoff {
            strategy,
            base_ns: BASE,
            multiplier: Multiplier::from_thousandths(2000),
            max_ns: 250 * MILLISECOND,
            jitter_ns: 10 * MILLISECOND,
        },
        replay_bytes: 65_536,
        honor_retry_after: true,
    }
}

fn budget(requests: u32) -> Budget {
    let floor = budget::Rate {
        count: 0,
        per_ns: 1,
    };
    let mut budget = Budget::new(budget::Params {
        percent: Percent::new(100),
        interval_ns: 10_000 * MILLISECOND,
        floor,
    });
    (0..requests).for_each(|_| budget.deposit(0));
    budget
}

const GET: Request = Request {
    method: Method::Get,
    is_idempotent: false,
    body_bytes: 0,
};
const POST: Request = Request {
    method: Method::Post,
    ..GET
};
const HTTP_503: Ending = Ending::Response {
    status: 503,
    code: None,
};

const fn ended(ending: Ending) -> Attempt {
    Attempt {
        ending,
        is_passed_on: false,
        is_exhausted: false,
        retry_after_ns: None,
        pushback: None,
    }
}

const BEGUN: Progress = Progress {
    retries: 0,
    previous_delay_ns: None,
    left_ns: None,
    p50_ns: None,
    has_another_endpoint: true,
    now_ns: 0,
};

fn decide(request: Request, attempt: Attempt, progress: Progress) -> Decision {
    params(Strategy::Fixed).decide(&request, &attempt, &progress, &mut budget(10), 0)
}

fn delay(decision: &Decision) -> Option<u64> {
    match decision {
        Decision::Retry { delay_ns, .. } => Some(*delay_ns),
        _ => None,
    }
}

fn retries(request: Request, attempt: Attempt) -> bool {
    delay(&decide(request, attempt, BEGUN)).is_some()
}

#[test]
fn a_listed_status_is_retried_and_another_is_delivered() {
    assert!(retries(GET, ended(HTTP_503)));
    for status in [200, 429, 500] {
        let attempt = ended(Ending::Response { status, code: None });
        assert_eq!(decide(GET, attempt, BEGUN), Decision::Deliver);
    }
}

#[test]
fn a_listed_grpc_code_is_retried_if_the_call_may_be_repeated() {
    let attempt = ended(Ending::Response {
        status: 200,
        code: Some(Code::Unavailable),
    });
    assert!(!retries(POST, attempt));
    assert!(retries(
        Request {
            is_idempotent: true,
            ..POST
        },
        attempt
    ));
}

#[test]
fn a_call_that_is_not_idempotent_is_not_retried() {
    for ending in [HTTP_503, Ending::Reset] {
        assert_eq!(decide(POST, ended(ending), BEGUN), Decision::Deliver);
    }
}

#[test]
fn what_no_application_saw_is_retried_for_every_method() {
    let unsent = [
        Ending::ConnectFailure,
        Ending::ConnectTimeout,
        Ending::RefusedStream,
        Ending::GoAway,
        Ending::PeerRefusal { elsewhere: true },
    ];
    for ending in unsent {
        assert!(retries(POST, ended(ending)), "{ending:?}");
    }
}

#[test]
fn a_peers_refusal_is_retried_on_another_endpoint_only() {
    let attempt = ended(Ending::PeerRefusal { elsewhere: true });
    let alone = Progress {
        has_another_endpoint: false,
        ..BEGUN
    };
    assert_eq!(decide(GET, attempt, alone), Decision::Deliver);
    assert_eq!(
        decide(GET, ended(Ending::PeerRefusal { elsewhere: false }), BEGUN),
        Decision::Deliver
    );
}

#[test]
fn what_this_sidecar_refused_or_ended_is_never_retried() {
    for ending in [
        Ending::LocalRefusal,
        Ending::ClientLeft,
        Ending::CallerDeadline,
        Ending::RequestTimeout,
    ] {
        assert_eq!(decide(GET, ended(ending), BEGUN), Decision::Deliver);
    }
}

#[test]
fn nothing_is_retried_after_the_first_byte_was_passed_on() {
    let attempt = Attempt {
        is_passed_on: true,
        ..ended(HTTP_503)
    };
    assert_eq!(decide(GET, attempt, BEGUN), Decision::Deliver);
    assert_eq!(
        decide(GET, ended(Ending::Truncated), BEGUN),
        Decision::Deliver
    );
}

#[test]
fn a_body_of_65536_bytes_is_replayed_and_of_65537_is_not() {
    assert!(retries(
        Request {
            body_bytes: 65_536,
            ..GET
        },
        ended(HTTP_503)
    ));
    assert!(!retries(
        Request {
            body_bytes: 65_537,
            ..GET
        },
        ended(HTTP_503)
    ));
    assert!(!retries(
        Request {
            body_bytes: 65_537,
            ..POST
        },
        ended(Ending::ConnectFailure)
    ));
}

#[test]
fn what_a_nearer_hop_gave_up_is_not_retried_and_stays_marked() {
    let attempt = Attempt {
        is_exhausted: true,
        ..ended(HTTP_503)
    };
    assert_eq!(
        decide(GET, attempt, BEGUN),
        Decision::GiveUp(GiveUp::Upstream)
    );
}

#[test]
fn tries_run_out() {
    let progress = Progress {
        retries: 2,
        ..BEGUN
    };
    assert_eq!(
        decide(GET, ended(HTTP_503), progress),
        Decision::GiveUp(GiveUp::Tries)
    );
    assert_eq!(GiveUp::Tries.reason(), Reason::RetryExhausted);
}

#[test]
fn the_budget_refuses_last_and_is_not_spent_by_what_was_not_tried() {
    let params = params(Strategy::Fixed);
    let mut budget = budget(1);
    let late = Progress {
        left_ns: Some(1),
        ..BEGUN
    };
    let _ = params.decide(&GET, &ended(HTTP_503), &late, &mut budget, 0);
    assert_eq!(budget.available(0), 1);
    assert!(delay(&params.decide(&GET, &ended(HTTP_503), &BEGUN, &mut budget, 0)).is_some());
    let refused = params.decide(&GET, &ended(HTTP_503), &BEGUN, &mut budget, 0);
    assert_eq!(refused, Decision::GiveUp(GiveUp::Budget));
    assert_eq!(GiveUp::Budget.reason(), Reason::RetryBudget);
}

#[test]
fn a_delay_that_does_not_fit_is_not_waited_for() {
    let with_left = |left_ns| {
        decide(
            GET,
            ended(HTTP_503),
            Progress {
                left_ns: Some(left_ns),
                ..BEGUN
            },
        )
    };
    assert_eq!(with_left(BASE), Decision::GiveUp(GiveUp::Deadline));
    assert_eq!(delay(&with_left(BASE + 1)), Some(BASE));
}

#[test]
fn an_attempt_that_half_of_the_others_would_not_finish_is_not_made() {
    let progress = |left_ns| Progress {
        left_ns: Some(left_ns),
        p50_ns: Some(BASE),
        ..BEGUN
    };
    assert!(delay(&decide(GET, ended(HTTP_503), progress(2 * BASE))).is_some());
    let late = decide(GET, ended(HTTP_503), progress(2 * BASE - 1));
    assert_eq!(late, Decision::GiveUp(GiveUp::Deadline));
}

#[test]
fn retry_after_is_waited_for_at_least_if_honoured() {
    let attempt = |retry_after_ns| Attempt {
        retry_after_ns: Some(retry_after_ns),
        ..ended(HTTP_503)
    };
    assert_eq!(
        delay(&decide(GET, attempt(2 * BASE), BEGUN)),
        Some(2 * BASE)
    );
    assert_eq!(delay(&decide(GET, attempt(1), BEGUN)), Some(BASE));
    let deaf = Params {
        honor_retry_after: false,
        ..params(Strategy::Fixed)
    };
    let decision = deaf.decide(&GET, &attempt(2 * BASE), &BEGUN, &mut budget(1), 0);
    assert_eq!(delay(&decision), Some(BASE));
}

#[test]
fn a_pushback_is_waited_for_and_a_negative_one_stops() {
    let attempt = |field| Attempt {
        pushback: Some(Pushback::parse(field)),
        ..ended(HTTP_503)
    };
    assert_eq!(
        delay(&decide(GET, attempt(b"300"), BEGUN)),
        Some(300 * MILLISECOND)
    );
    for field in [&b"-1"[..], b"soon", b""] {
        assert_eq!(decide(GET, attempt(field), BEGUN), Decision::Deliver);
    }
}

fn bounds(strategy: Strategy, n: u32, previous_ns: Option<u64>) -> (u64, u64) {
    let backoff = params(strategy).backoff;
    let at = |draw| backoff.delay_ns(n, previous_ns, draw) / MILLISECOND;
    (at(0), at(u64::MAX))
}

#[test]
fn every_strategy_stays_between_its_bounds() {
    assert_eq!(bounds(Strategy::Immediate, 3, None), (0, 0));
    assert_eq!(bounds(Strategy::Fixed, 3, None), (25, 25));
    assert_eq!(bounds(Strategy::Exponential, 2, None), (100, 100));
    assert_eq!(bounds(Strategy::Exponential, 9, None), (250, 250));
    assert_eq!(bounds(Strategy::ExponentialJitter, 2, None), (100, 110));
    assert_eq!(bounds(Strategy::FullJitter, 2, None), (0, 100));
    assert_eq!(bounds(Strategy::Decorrelated, 0, None), (25, 75));
    assert_eq!(
        bounds(Strategy::Decorrelated, 1, Some(40 * MILLISECOND)),
        (25, 120)
    );
    assert_eq!(
        bounds(Strategy::Decorrelated, 1, Some(200 * MILLISECOND)),
        (25, 250)
    );
}

#[test]
fn a_closed_pooled_connection_is_tried_again_for_free_for_safe_methods_only() {
    assert!(is_free(&GET, &Ending::Reset, 0));
    assert!(!is_free(&POST, &Ending::Reset, 0));
    assert!(!is_free(
        &Request {
            method: Method::Put,
            ..GET
        },
        &Ending::Reset,
        0
    ));
    assert!(!is_free(
        &Request {
            body_bytes: 1,
            ..GET
        },
        &Ending::Reset,
        0
    ));
    assert!(!is_free(&GET, &HTTP_503, 0));
}
