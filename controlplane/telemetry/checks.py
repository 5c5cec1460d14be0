"""Health that sidecars share: who checks the endpoints of each service, and what they found."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, TypeAlias

from controlplane.model.health import Checked, EndpointPort, HealthShare, OthersHealth, Votes
from controlplane.telemetry.rates import SECOND_NS
from registry.model import ServiceName

WINDOW_NS: Final = 75 * SECOND_NS
"""A sidecar that has not reported for so long checks nothing any more."""

Elsewhere: TypeAlias = Callable[[ServiceName], Iterable[HealthShare]]
"""What sidecars know that report to other replicas."""


@dataclass(slots=True)
class _Checker:
    """One sidecar that checks a service: its name as a checker, and what it said last, and when."""

    name: int
    verdicts: Mapping[EndpointPort, bool]
    taken_ns: int


@dataclass(slots=True)
class _Service:
    checkers: dict[str, _Checker] = field(default_factory=dict)
    votes: dict[EndpointPort, Votes] = field(default_factory=dict)
    bad: set[EndpointPort] = field(default_factory=set)
    """Endpoints that any of them found unhealthy."""
    revision: int = 0
    """Grows whenever a checker or a vote changes."""

    def set(self, instance: str, checker: _Checker | None) -> None:
        """Puts what a sidecar says now in the place of what it said before; `None`: nothing any more."""
        old = self.checkers.pop(instance, None)
        if checker is not None:
            self.checkers[instance] = checker
        before, after = old.verdicts if old else {}, checker.verdicts if checker else {}
        is_known = old is not None and checker is not None and old.name == checker.name
        if is_known and before == after:
            return
        self.revision += 1
        for endpoint in before.keys() | after.keys():
            self._count(endpoint, before.get(endpoint), after.get(endpoint))

    def _count(self, endpoint: EndpointPort, before: bool | None, after: bool | None) -> None:
        votes = self.votes.get(endpoint, Votes()).without(before)
        if after is not None:
            votes = votes.plus(Votes(healthy=int(after), unhealthy=int(not after)))
        self.votes[endpoint] = votes
        if not any(votes):
            del self.votes[endpoint]
        if votes.unhealthy:
            self.bad.add(endpoint)
        else:
            self.bad.discard(endpoint)


class Checks:
    """What each sidecar that reports here found. Mutable, as `Merge` is."""

    def __init__(self) -> None:
        self._services: dict[ServiceName, _Service] = {}

    def take(self, instance: str, name: int, checked: Iterable[Checked], now_ns: int) -> None:
        """Notes what a sidecar found, which is called `name` as a checker, as of `now_ns`."""
        for each in checked:
            service = self._services.setdefault(each.service, _Service())
            service.set(instance, _Checker(name, each.verdicts, now_ns))

    def leave(self, instance: str, services: Iterable[ServiceName], taken_ns: int) -> None:
        """Forgets what a sidecar said last, at `taken_ns`, since it is gone or says it elsewhere."""
        for name in services:
            service = self._services.get(name)
            checker = service.checkers.get(instance) if service else None
            if service and checker and checker.taken_ns == taken_ns:
                service.set(instance, None)

    def forget(self, now_ns: int) -> None:
        """Forgets sidecars that have not reported within the window."""
        for name, service in list(self._services.items()):
            late = [one for one, said in service.checkers.items() if now_ns - said.taken_ns > WINDOW_NS]
            for instance in late:
                service.set(instance, None)
            if not service.checkers:
                del self._services[name]

    def answer(self, own: int, checked: Checked, elsewhere: Iterable[HealthShare]) -> OthersHealth:
        """What the sidecar `own` is told of a service that it has just reported on.

        What it holds unhealthy is among it though nobody may know by now: only what is not named is well.
        """
        shares = (self.share(checked.service), *elsewhere)
        checkers = frozenset().union(*(share.checkers for share in shares)) | {own}
        version = _version(checkers)
        suspects = {endpoint for endpoint, is_healthy in checked.verdicts.items() if not is_healthy}
        suspects |= self._bad(checked.service) | checked.doubted
        for share in shares[1:]:
            suspects |= {endpoint for endpoint, votes in share.votes.items() if votes.unhealthy}
        votes = {
            endpoint: _sum(share.votes.get(endpoint, Votes()) for share in shares).without(
                checked.verdicts.get(endpoint)
            )
            for endpoint in suspects
        }
        known = version == checked.version
        return OthersHealth(
            service=checked.service,
            version=version,
            checkers=() if known else tuple(sorted(checkers)),
            votes=votes,
        )

    def share(self, name: ServiceName) -> HealthShare:
        """What the sidecars that report here know of a service."""
        service = self._services.get(name, _Service())
        return HealthShare(
            checkers=frozenset(one.name for one in service.checkers.values()), votes=service.votes
        )

    def revisions(self) -> dict[ServiceName, int]:
        """The services that are checked, each with a number that grows when what is known of it changes."""
        return {name: service.revision for name, service in self._services.items() if service.checkers}

    def _bad(self, name: ServiceName) -> set[EndpointPort]:
        service = self._services.get(name)
        return service.bad if service else set()


def _version(checkers: Iterable[int]) -> int:
    """The same number for the same checkers on every replica; never zero."""
    digest = blake2b(digest_size=8)
    for checker in sorted(checkers):
        digest.update(checker.to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little") or 1


def _sum(votes: Iterable[Votes]) -> Votes:
    total = Votes()
    for each in votes:
        total = total.plus(each)
    return total
