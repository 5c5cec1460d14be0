use super::*;

#[test]
fn every_reason_parses_back_from_its_word() {
    for &reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
    assert_eq!(Reason::parse("breaker"), None);
}

#[test]
fn words_are_unique() {
    let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Reason::ALL.len());
}

#[test]
fn only_limits_and_open_breakers_know_when_to_retry() {
    let timeless = [
        Reason::RatelimitConcurrency,
        Reason::RatelimitBandwidth,
        Reason::RatelimitConnections,
        Reason::RatelimitResource,
    ];
    let is_rate =
        |reason: &Reason| reason.as_str().starts_with("ratelimit.") && !timeless.contains(reason);
    for reason in Reason::ALL {
        let is_expected = is_rate(reason) || *reason == Reason::BreakerOpen;
        assert_eq!(reason.retry_after_known(), is_expected, "{reason:?}");
    }
}

#[test]
fn refused_and_timed_out_connections_differ_in_the_error_alone() {
    let (refused, late) = (Reason::UpstreamConnect, Reason::TimeoutConnect);
    assert_eq!(refused.proxy_status_error(), Some("connection_refused"));
    assert_eq!(late.proxy_status_error(), Some("connection_timeout"));
    assert_eq!(refused.http_status(), late.http_status());
    assert_eq!(refused.grpc_code(), late.grpc_code());
}

#[test]
fn giving_up_on_retries_leaves_the_last_answer_as_it_is() {
    for reason in [Reason::RetryBudget, Reason::RetryExhausted] {
        assert_eq!((reason.http_status(), reason.grpc_code()), (None, None));
    }
}

#[test]
fn a_limit_is_the_callers_share_and_everything_else_the_services_capacity() {
    assert_eq!(Reason::RatelimitToken.http_status(), Some(429));
    assert_eq!(Reason::BulkheadFull.http_status(), Some(503));
    assert_eq!(Reason::DeadlineExhausted.http_status(), Some(504));
    assert_eq!(
        Reason::DeadlineExhausted.grpc_code().map(Code::name),
        Some("DEADLINE_EXCEEDED")
    );
}
