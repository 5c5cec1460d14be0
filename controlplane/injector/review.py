"""Reads what the API server asks about, and says what it is answered. Anybody may send us anything.

Sizes are bounded before anything is taken apart, so that no text costs more than a few milliseconds.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from controlplane.errors import MalformedReviewError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controlplane.injector.operations import Operation

MAX_BYTES: Final = 3 << 20
MAX_DEPTH: Final = 64
_MAX_PROBLEMS: Final = 64
"""Told at once; whoever sends more learns how many."""

MAX_BLOCKS: Final = 100_000
"""Objects and lists in one text; a large pod has a thousand."""

API_VERSION: Final = "admission.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One question: may `object` be written? `namespace` is where it is to lie."""

    uid: str
    namespace: str
    object: Mapping[str, Any]


def decode(body: bytes) -> Review:
    """The question that a body asks.

    Raises:
        MalformedReviewError: it asks none, or is more than one can be.
    """
    if body.count(b"{") + body.count(b"[") > MAX_BLOCKS:
        raise MalformedReviewError(f"expected at most {MAX_BLOCKS} objects and lists, found more")
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedReviewError("expected JSON, found something else") from error
    if _is_deep(found):
        raise MalformedReviewError(f"expected at most {MAX_DEPTH} levels, found more")
    return _review(found)


def _is_deep(found: Any) -> bool:
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [child for one in level for child in _children(one)]
        if not level:
            return False
    return True


def _children(one: Any) -> Iterable[Any]:
    inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return (child for child in inside if isinstance(child, (dict, list)))


def _review(found: Any) -> Review:
    request = found.get("request") if isinstance(found, dict) else None
    if not isinstance(request, dict) or found.get("apiVersion") != API_VERSION:
        raise MalformedReviewError(f"expected an AdmissionReview of {API_VERSION} with a request")
    uid, written = request.get("uid"), request.get("object")
    namespace = request.get("namespace", "")
    if not (isinstance(uid, str) and isinstance(namespace, str) and isinstance(written, dict)):
        raise MalformedReviewError("expected a request with uid, namespace and object")
    return Review(uid=uid, namespace=namespace, object=written)


def allowed(
    review: Review, operations: Iterable[Operation] = (), warnings: Iterable[str] = ()
) -> Mapping[str, Any]:
    """The answer that the object may be written, after these operations."""
    patch = [operation.as_json() for operation in operations]
    encoded = base64.b64encode(msgspec.json.encode(patch)).decode()
    change = {"patchType": "JSONPatch", "patch": encoded} if patch else {}
    return _answer(review, {"allowed": True, "warnings": list(warnings), **change})


def refused(review: Review, problems: Sequence[object]) -> Mapping[str, Any]:
    """The answer that it may not, with everything that is wrong."""
    rest = len(problems) - _MAX_PROBLEMS
    told = [*map(str, problems[:_MAX_PROBLEMS]), *([f"and {rest} more"] if rest > 0 else [])]
    message = "; ".join(told)
    status = {"code": 422, "reason": "Invalid", "message": message}
    return _answer(review, {"allowed": False, "status": status})


def as_text(value: Mapping[str, Any]) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()


def _answer(review: Review, response: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "AdmissionReview",
        "response": {"uid": review.uid, **response},
    }
