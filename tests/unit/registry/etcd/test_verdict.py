"""What a status of etcd means for the next attempt."""

import pytest
from grpc import StatusCode

from registry.etcd.verdict import Verdict, judge


@pytest.mark.parametrize(
    ("code", "details", "verdict"),
    [
        (StatusCode.UNAVAILABLE, "etcdserver: no leader", Verdict.REFUSED_FOR_NOW),
        (StatusCode.RESOURCE_EXHAUSTED, "etcdserver: too many requests", Verdict.REFUSED_FOR_NOW),
        (
            StatusCode.UNAVAILABLE,
            "failed to connect to all addresses; ...",
            Verdict.REFUSED_FOR_NOW,
        ),
        (StatusCode.UNAVAILABLE, "Socket closed", Verdict.UNKNOWN),
        (StatusCode.UNAVAILABLE, "etcdserver: request timed out", Verdict.UNKNOWN),
        (StatusCode.UNAVAILABLE, "etcdserver: server stopped", Verdict.UNKNOWN),
        (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", Verdict.UNKNOWN),
        (StatusCode.UNAUTHENTICATED, "etcdserver: invalid auth token", Verdict.STALE_TOKEN),
        (StatusCode.INVALID_ARGUMENT, "etcdserver: revision of auth store is old", Verdict.STALE_TOKEN),
        (StatusCode.INVALID_ARGUMENT, "etcdserver: user name is empty", Verdict.STALE_TOKEN),
        (StatusCode.PERMISSION_DENIED, "etcdserver: permission denied", Verdict.INVALID),
        (StatusCode.INVALID_ARGUMENT, "etcdserver: request is too large", Verdict.INVALID),
        (StatusCode.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded", Verdict.FULL),
        (StatusCode.NOT_FOUND, "etcdserver: requested lease not found", Verdict.LEASE_NOT_FOUND),
        (StatusCode.FAILED_PRECONDITION, "etcdserver: lease already exists", Verdict.LEASE_EXISTS),
    ],
)
def test_status_says_whether_the_request_was_carried_out(
    code: StatusCode, details: str, verdict: Verdict
) -> None:
    assert judge(code, details).verdict is verdict


def test_reason_of_a_watch_is_read_out_of_the_words_alone() -> None:
    reason = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"

    assert judge(StatusCode.CANCELLED, reason).verdict is Verdict.STALE_TOKEN
