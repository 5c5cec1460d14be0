"""Bulkheads."""

from dataclasses import dataclass
from typing import Literal

from sidecar._core import Bulkhead, Ticket

__all__ = ["Bulkhead", "BulkheadParams", "Criticality", "Lanes", "Ticket"]

Criticality = Literal["critical", "default", "sheddable", "background"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The share of permits, in percent, that belongs to each class."""

    critical: float = 0
    default: float = 0
    sheddable: float = 0
    background: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadParams:
    """Settings of a bulkhead.

    `max_queue` is `max_concurrent` where `None`, `queue_timeout_ns` a quarter of the time left, at most 1 s.
    """

    max_concurrent: int = 100
    max_queue: int | None = None
    queue_timeout_ns: int | None = None
    lanes: Lanes = Lanes()
