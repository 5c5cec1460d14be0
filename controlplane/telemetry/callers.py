"""Who calls what: the live callers of every service."""

from collections.abc import Iterable, Mapping

from controlplane.telemetry.rates import SECOND_NS
from registry.model import ServiceName

WINDOW_NS = 60 * SECOND_NS


class Callers:
    """The instant at which each sidecar last said that it calls a service. Mutable, as `Merge` is."""

    def __init__(self) -> None:
        self._calls: dict[ServiceName, dict[str, int]] = {}

    def take(self, instance: str, called: Iterable[ServiceName], now_ns: int) -> None:
        """Notes the services that a sidecar has called in the last minute, as of `now_ns`."""
        for service in called:
            self._calls.setdefault(service, {})[instance] = now_ns

    def leave(self, instance: str, called: Iterable[ServiceName], taken_ns: int) -> None:
        """Forgets what a sidecar said last, at `taken_ns`, since it is gone or says it elsewhere."""
        for service in called:
            if self._calls.get(service, {}).get(instance) == taken_ns:
                del self._calls[service][instance]

    def count(self, service: ServiceName, now_ns: int) -> int:
        """Sidecars that called a service of late."""
        return _live(self._calls.get(service, {}), now_ns)

    def counts(self, now_ns: int) -> dict[ServiceName, int]:
        """The services that were called of late, each with how many sidecars called it."""
        counted = ((service, _live(calls, now_ns)) for service, calls in self._calls.items())
        return {service: count for service, count in counted if count}

    def forget(self, now_ns: int) -> None:
        """Forgets the calls that are older than the window."""
        for service, calls in list(self._calls.items()):
            kept = {instance: instant for instance, instant in calls.items() if now_ns - instant <= WINDOW_NS}
            if kept:
                self._calls[service] = kept
            else:
                del self._calls[service]


def _live(calls: Mapping[str, int], now_ns: int) -> int:
    return sum(now_ns - instant <= WINDOW_NS for instant in calls.values())
