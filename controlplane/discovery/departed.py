"""Sidecars that left: remembered for a while, for people to see that they are gone."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from controlplane.discovery.desired import Published
from controlplane.discovery.stream import resource_convergence
from controlplane.model.resource import ResourceName, Version
from controlplane.model.sidecar import SidecarState, SidecarStatus

OFFLINE_MAX = 10_000
OFFLINE_NS = 3_600_000_000_000
"""How many sidecars that left are remembered, and for how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sidecar:
    """Where a sidecar stood when it left, and what it applied, as the stream kept it."""

    status: SidecarStatus
    applied: Mapping[ResourceName, Version | None]
    left_ns: int


class Departed:
    """The sidecars that left last, by instance."""

    def __init__(self) -> None:
        self._sidecars: OrderedDict[str, _Sidecar] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sidecars)

    def add(self, status: SidecarStatus, applied: Mapping[ResourceName, Version | None], now_ns: int) -> None:
        """Remembers a sidecar, and forgets the ones that left long ago."""
        self._sidecars[status.hello.instance] = _Sidecar(status=status, applied=applied, left_ns=now_ns)
        self.forget(now_ns)

    def discard(self, instance: str) -> None:
        """Forgets a sidecar that is back."""
        self._sidecars.pop(instance, None)

    def forget(self, now_ns: int) -> None:
        """Forgets who left too long ago, and the first of too many."""
        while self._sidecars:
            oldest = next(iter(self._sidecars.values()))
            if len(self._sidecars) <= OFFLINE_MAX and now_ns - oldest.left_ns <= OFFLINE_NS:
                return
            self._sidecars.popitem(last=False)

    def statuses(self, desired: Published, now_ns: int) -> Iterator[SidecarStatus]:
        """Where each stands as of now, without its resources."""
        self.forget(now_ns)
        for sidecar in self._sidecars.values():
            yield _status(sidecar, desired, now_ns)

    def find(self, instance: str, desired: Published, now_ns: int) -> SidecarStatus | None:
        """One of them, with its resources."""
        self.forget(now_ns)
        sidecar = self._sidecars.get(instance)
        if sidecar is None:
            return None
        return replace(
            _status(sidecar, desired, now_ns), convergence=resource_convergence(sidecar.applied, desired)
        )


def _status(sidecar: _Sidecar, desired: Published, now_ns: int) -> SidecarStatus:
    status, gone_seconds = sidecar.status, (now_ns - sidecar.left_ns) / 1e9
    ack_age_seconds = status.last_ack_age_seconds
    return replace(
        status,
        state=SidecarState.OFFLINE,
        age_seconds=gone_seconds,
        lag=desired.revision - status.revision,
        last_ack_age_seconds=ack_age_seconds and ack_age_seconds + gone_seconds,
    )
