"""What happened in sidecars."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from registry.model import ServiceName


class BreakerState(Enum):
    """State of a breaker, as in the contract."""

    UNSPECIFIED = "UNSPECIFIED"
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"
    FORCED_OPEN = "FORCED_OPEN"
    FORCED_CLOSED = "FORCED_CLOSED"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in the sidecar `instance`; `endpoint` is empty for the whole service.

    So is `route`, but for a breaker that a route has for itself, or a rule of one: `route` or `route/rule`.
    """

    instance: str
    at: datetime
    kind: str
    service: ServiceName
    endpoint: str = ""
    route: str = ""
    before: BreakerState = BreakerState.UNSPECIFIED
    after: BreakerState = BreakerState.UNSPECIFIED
    reason: str = ""
    calls: int = 0
    failures: int = 0
    slow: int = 0
    consecutive_failures: int = 0
