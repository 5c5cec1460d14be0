"""Questions of an API server, and of anybody who pretends to be one."""

import base64
import json

import pytest

from controlplane.errors import MalformedReviewError
from controlplane.injector.operations import Operation
from controlplane.injector.review import MAX_BLOCKS, Review, allowed, decode, refused

ASKED = Review(uid="1", namespace="shop", object={"kind": "Pod"})


def text(**request: object) -> bytes:
    asked = {"uid": "1", "namespace": "shop", "object": {"kind": "Pod"}} | request
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "request": asked}).encode()


def nested(levels: int) -> bytes:
    return text(object={}).replace(b"{}", b'{"a":' * levels + b"{}" + b"}" * levels)


def test_a_question_is_read() -> None:
    assert decode(text(extra={"unknown": [1]})) == ASKED


def test_depth_is_bounded() -> None:
    assert decode(nested(61)).uid == "1"  # within the review and its request
    with pytest.raises(MalformedReviewError, match="64 levels"):
        decode(nested(62))


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"7", b"[]", b"{}", text(uid=1), text(namespace=None), text(object="Pod"), b"[" * 100_000],
)
def test_what_asks_nothing_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedReviewError):
        decode(body)


def test_what_is_too_much_is_not_even_read() -> None:
    with pytest.raises(MalformedReviewError, match="objects and lists"):
        decode(b"{[" * MAX_BLOCKS)


def test_an_answer_carries_the_patch() -> None:
    answer = allowed(ASKED, [Operation("add", ("metadata", "labels", "a/b~c"), "d")])
    patch = json.loads(base64.b64decode(answer["response"]["patch"]))
    assert patch == [{"op": "add", "path": "/metadata/labels/a~1b~0c", "value": "d"}]
    assert "patch" not in allowed(ASKED)["response"]


def test_a_refusal_says_everything() -> None:
    response = refused(ASKED, ["one", "two"])["response"]
    assert (response["allowed"], response["status"]["message"]) == (False, "one; two")
