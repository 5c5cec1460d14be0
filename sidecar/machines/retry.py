"""Retries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sidecar._core import Again, Retry
from sidecar.machines.ending import Ending
from sidecar.machines.units import MILLISECOND_NS

__all__ = ["Again", "Attempt", "Backoff", "Progress", "Request", "Retry", "RetryParams", "Strategy"]

Strategy = Literal["Immediate", "Fixed", "Exponential", "ExponentialJitter", "FullJitter", "Decorrelated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before retries; `jitter_ns` is for `ExponentialJitter` alone."""

    strategy: Strategy = "FullJitter"
    base_ns: int = 25 * MILLISECOND_NS
    multiplier: float = 2
    max_ns: int = 250 * MILLISECOND_NS
    jitter_ns: int = 25 * MILLISECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryParams:
    """Settings of a `retry:` block, but for its budget."""

    attempts: int = 2
    when: Sequence[str] = (
        "ConnectFailure",
        "PerTryTimeout",
        "RefusedStream",
        "Reset",
        "502",
        "503",
        "504",
        "Unavailable",
    )
    methods: Sequence[str] = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")
    backoff: Backoff = Backoff()
    replay_bytes: int = 65_536
    honor_retry_after: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What of a request matters to its retries.

    `is_idempotent` says that it has an `Idempotency-Key` or is declared idempotent by the service's contract.
    """

    method: str = "GET"
    is_idempotent: bool = False
    body_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How an attempt ended and what came with its answer; `pushback` is that field as it came."""

    ending: Ending
    is_passed_on: bool = False
    is_exhausted: bool = False
    retry_after_ns: int | None = None
    pushback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a call stands: `retries` made, the last delay, and what is left until its deadline."""

    now_ns: int
    retries: int = 0
    previous_delay_ns: int | None = None
    left_ns: int | None = None
    p50_ns: int | None = None
    has_another_endpoint: bool = True
