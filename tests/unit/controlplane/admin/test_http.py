"""What the HTTP side answers, without a socket."""

from collections.abc import Mapping
from http import HTTPStatus

import pytest

from controlplane.admin.http import Answer, answer, parse
from controlplane.counters import Counter


def asked(target: str, *, method: str = "GET", checks: Mapping[str, bool] | None = None) -> Answer:
    seen = Counter("seen_total", "What was seen.")
    seen.labels()
    request = parse(f"{method} {target} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    return answer(request, seen, lambda: checks or {"store": True})


def test_head_is_read_whole() -> None:
    request = parse(b"GET /metrics?a=b HTTP/1.1\r\nHost: here:1\r\nACCEPT:  text/plain \r\n\r\n")
    assert (request.method, request.path, request.query) == ("GET", "/metrics", "a=b")


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno field\r\n\r\n",
        b"GET //[ HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(head)


def test_measurements_come_in_the_form_of_prometheus() -> None:
    found = asked("/metrics")
    assert found.status is HTTPStatus.OK
    assert found.content_type.startswith("text/plain")
    assert b"seen_total 0.0" in found.body


def test_readiness_says_what_is_missing_if_asked() -> None:
    checks = {"store": True, "cluster": False}
    assert asked("/readyz", checks=checks).body == b"not ready\n"
    found = asked("/readyz?verbose", checks=checks)
    assert found.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert found.body == b"ok: store\nno: cluster\nnot ready\n"


def test_head_has_no_body_and_its_length() -> None:
    encoded = asked("/healthz", method="HEAD").encode(has_body=False)
    assert b"Content-Length: 3\r\n" in encoded
    assert encoded.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("POST", "/metrics", HTTPStatus.METHOD_NOT_ALLOWED), ("GET", "/", HTTPStatus.NOT_FOUND)],
)
def test_anything_else_is_not_there(method: str, target: str, status: HTTPStatus) -> None:
    assert asked(target, method=method).status is status
