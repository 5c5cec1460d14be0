"""What an answer of etcd that is not a success means: for the request, and for the next attempt.

Whether a request was carried out decides whether it may be repeated. etcd says some things before it does
anything: then it was not. A connection that was never made is as certain. Everything else, above all
silence and a connection that broke, leaves it open.
"""

from dataclasses import dataclass
from enum import Enum, auto

from grpc import StatusCode


class Verdict(Enum):
    """What to make of a failed attempt."""

    REFUSED_FOR_NOW = auto()
    """Not carried out; another member, or the same one later, may do it."""
    UNKNOWN = auto()
    """It may have been carried out, or may still be."""
    STALE_TOKEN = auto()
    """Not carried out; a new token is needed."""
    COMPACTED = auto()
    LEASE_NOT_FOUND = auto()
    LEASE_EXISTS = auto()
    FULL = auto()
    """Not carried out, for want of space."""
    INVALID = auto()
    """Not carried out, and never will be as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a failed attempt was told."""

    verdict: Verdict
    text: str


_WORDS = {
    "etcdserver: no leader": Verdict.REFUSED_FOR_NOW,
    "etcdserver: rpc not supported for learner": Verdict.REFUSED_FOR_NOW,
    "etcdserver: too many requests": Verdict.REFUSED_FOR_NOW,
    "failed to connect to all addresses": Verdict.REFUSED_FOR_NOW,
    "DNS resolution failed": Verdict.REFUSED_FOR_NOW,
    "etcdserver: permission denied": Verdict.INVALID,
    "etcdserver: user name is empty": Verdict.STALE_TOKEN,
    "etcdserver: invalid auth token": Verdict.STALE_TOKEN,
    "etcdserver: revision of auth store is old": Verdict.STALE_TOKEN,
    "etcdserver: mvcc: required revision has been compacted": Verdict.COMPACTED,
    "etcdserver: requested lease not found": Verdict.LEASE_NOT_FOUND,
    "etcdserver: lease already exists": Verdict.LEASE_EXISTS,
    "etcdserver: mvcc: database space exceeded": Verdict.FULL,
}
_INVALID = {
    StatusCode.INVALID_ARGUMENT,
    StatusCode.FAILED_PRECONDITION,
    StatusCode.OUT_OF_RANGE,
    StatusCode.PERMISSION_DENIED,
    StatusCode.UNAUTHENTICATED,
    StatusCode.UNIMPLEMENTED,
}


def judge(code: StatusCode, details: str) -> Failure:
    """What a status means; etcd's words tell more than its codes."""
    found = [verdict for words, verdict in _WORDS.items() if words in details]
    verdict = found[0] if found else Verdict.INVALID if code in _INVALID else Verdict.UNKNOWN
    return Failure(verdict=verdict, text=f"{code.name}: {details}" if details else code.name)
