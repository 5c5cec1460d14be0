"""What stands in front of an application: its concurrency and its queue."""

from dataclasses import dataclass
from typing import Literal

from sidecar._core import Backpressure, Held
from sidecar.machines.bulkhead import Criticality
from sidecar.machines.units import MILLISECOND_NS, SECOND_NS

__all__ = [
    "AdaptiveConcurrency",
    "Arrival",
    "Backpressure",
    "BackpressureParams",
    "Block",
    "Buffer",
    "Codel",
    "EarlyDetection",
    "Held",
    "QueueParams",
    "Throttle",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveConcurrency:
    """Bounds of a limit of concurrency that follows latency."""

    min: int = 8
    max: int = 512
    tolerance: float = 1.5
    smoothing: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A full queue holds arrivals for a while, as many as it has places."""

    for_ns: int = SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """A full queue doubles, up to these bounds."""

    max_capacity: int = 10_000
    max_bytes: int = 16_777_216


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """From so much percent full on, a queue admits only as fast as it drains."""

    throttle_from: float = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Codel:
    """Drops from a queue that stands; while it does, the newest may be served first."""

    target_ns: int = 5 * MILLISECOND_NS
    interval_ns: int = 100 * MILLISECOND_NS
    newest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueParams:
    """Settings of a bounded queue."""

    capacity: int = 1000
    mode: Block | Buffer | Throttle | Literal["DropNewest", "DropOldest"] = "DropNewest"
    codel: Codel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyDetection:
    """Classes are shed when the queue would be full within so long."""

    shed_background_below_ns: int = 10 * SECOND_NS
    shed_sheddable_below_ns: int = 3 * SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class BackpressureParams:
    """Settings of what stands in front of an application; without `concurrency` nobody ever waits."""

    concurrency: int | AdaptiveConcurrency | None = None
    queue: QueueParams | None = None
    early_detection: EarlyDetection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request that arrives; `holds_permit` says that one of its trace runs already."""

    criticality: Criticality = "default"
    flow: int = 0
    bytes: int = 0
    deadline_ns: int | None = None
    holds_permit: bool = False
