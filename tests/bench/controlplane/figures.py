"""What one whole run of the bench found, a row for each size of the fleet."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.controlplane.trials import Churn, Delivery, Storm


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What was measured with so many sidecars; memory in KiB.

    `narrow` are changes of policies that few sidecars read, with how many do. `accompanied_kib` is resident
    with all streams that a real sidecar has, `reporting_cores` the CPU while they report. `foreign_cores` is
    what others used of this machine meanwhile.
    """

    sidecars: int
    base_kib: int
    resident_kib: int
    cold_ms: float
    edits: Sequence[Delivery]
    narrow: Sequence[tuple[int, Delivery]]
    pushes: Sequence[Delivery]
    churn: Churn
    flaps_per_second: float
    storms: Sequence[Storm]
    stormed_kib: int
    accompanied_kib: int
    reporting_cores: float
    foreign_cores: float

    @property
    def kib_per_sidecar(self) -> float:
        """What one sidecar adds to the memory, with its discovery stream alone."""
        return (self.resident_kib - self.base_kib) / self.sidecars

    @property
    def kib_per_accompanied(self) -> float:
        """What one sidecar adds to the memory with all its streams."""
        return (self.accompanied_kib - self.base_kib) / self.sidecars

    @property
    def strays(self) -> int:
        """How many responses went to sidecars that do not read what changed."""
        return sum(abs(delivery.responses - readers) for readers, delivery in self.narrow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mass:
    """Many policies and few sidecars, from the start of the control plane to the last APPLIED."""

    policies: int
    sidecars: int
    converged_seconds: float
    resident_kib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything; `empty_kib` is a control plane in an empty mesh, `mass` is missing when it was left out."""

    empty_kib: int
    sizes: tuple[Size, ...]
    mass: Mass | None

    def find(self, sidecars: int) -> Size | None:
        """Return the row of one size of the fleet, if it was measured."""
        return next((size for size in self.sizes if size.sidecars == sidecars), None)


def share(values: Sequence[float], part: float) -> float:
    """Return the value that `part` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-part * len(ordered) // 1) - 1)]
