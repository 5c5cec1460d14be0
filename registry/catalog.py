"""The catalogue: what all registrations together say about each service.

Instances of one service may disagree, as they do while a release rolls out. What a service's ports and
contract are is then decided by the newest registration that says anything, and the disagreement is reported
as a conflict. A service exists while it has an instance.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter

from registry.model import (
    Conflict,
    Contract,
    Endpoint,
    InstanceId,
    LeaseId,
    Registration,
    Revision,
    ServiceName,
    ServicePort,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An instance registered, anew or again, or its verdict changed; it `entered` when it last registered.

    It is there as long as `lease`, which its owner renews within `ttl_seconds`; `None` and 0 are unknown.
    """

    registration: Registration
    revision: Revision
    entered: Revision
    lease: LeaseId | None = None
    ttl_seconds: int = 0
    registered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """An instance is gone."""

    service: ServiceName
    instance: InstanceId
    revision: Revision


Event = Registered | Removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as all its instances together describe it, or, if `is_declared`, as somebody else does.

    `ports` are sorted by number, `endpoints` by instance, `conflicts` by field. A declared service is there
    without an instance, too, and may have `addresses` of its own.
    """

    name: ServiceName
    ports: tuple[ServicePort, ...]
    contract: Contract
    endpoints: tuple[Endpoint, ...]
    conflicts: tuple[Conflict, ...]
    registered: Mapping[InstanceId, Registered]
    is_declared: bool = False
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every service by name, sorted, as of `revision`."""

    services: Mapping[ServiceName, Service] = field(default_factory=dict)
    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Names of the services that changed.

    `services` appeared, vanished, or have other ports or another contract; `endpoints` have other endpoints.
    """

    services: frozenset[ServiceName] = frozenset()
    endpoints: frozenset[ServiceName] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.services or self.endpoints)

    def __or__(self, other: "Changes") -> "Changes":
        return Changes(services=self.services | other.services, endpoints=self.endpoints | other.endpoints)


def apply(catalog: Catalog, events: Iterable[Event]) -> tuple[Catalog, Changes]:
    """The catalogue after `events`, in order, and what they changed.

    Takes a batch because the mapping of services is copied once a call, whatever the number of events.
    An event that repeats what is known, as a registration after a restart does, changes nothing.
    """
    registered: dict[ServiceName, dict[InstanceId, Registered]] = {}
    revision = catalog.revision
    for event in events:
        name = event.registration.service if isinstance(event, Registered) else event.service
        if name not in registered:
            known = catalog.services.get(name)
            registered[name] = dict(known.registered) if known else {}
        _apply_one(registered[name], event)
        revision = max(revision, event.revision)
    after = {name: _build(name, instances) for name, instances in registered.items()}
    services = _merge(catalog.services, after)
    return Catalog(services=services, revision=revision), _diff(catalog.services, after)


def missing(catalog: Catalog, present: Iterable[Registered], revision: Revision) -> tuple[Removed, ...]:
    """The removal, at `revision`, of every instance in the catalogue that is not `present`."""
    seen = {(event.registration.service, event.registration.endpoint.instance) for event in present}
    return tuple(
        Removed(service=name, instance=instance, revision=revision)
        for name, service in catalog.services.items()
        for instance in service.registered
        if (name, instance) not in seen
    )


def join(catalog: Catalog, elsewhere: Mapping[ServiceName, Service]) -> Catalog:
    """The catalogue with services that are known from elsewhere; one that both have, with all its endpoints.

    What the service is, is then what is said elsewhere.
    """
    if not elsewhere:
        return catalog
    both = {
        name: _join(catalog.services[name], elsewhere[name]) for name in catalog.services.keys() & elsewhere
    }
    services = {**catalog.services, **elsewhere, **both}
    return Catalog(services=dict(sorted(services.items())), revision=catalog.revision)


def differences(before: Mapping[ServiceName, Service], after: Mapping[ServiceName, Service]) -> Changes:
    """What is another in the services `after`."""
    others = {
        name: after.get(name) for name in before.keys() | after if before.get(name) is not after.get(name)
    }
    return _diff(before, others)


def _join(registered: Service, elsewhere: Service) -> Service:
    endpoints = {endpoint.instance: endpoint for endpoint in (*registered.endpoints, *elsewhere.endpoints)}
    return replace(
        elsewhere,
        endpoints=tuple(endpoint for _, endpoint in sorted(endpoints.items())),
        conflicts=registered.conflicts,
        registered=registered.registered,
    )


def _apply_one(instances: dict[InstanceId, Registered], event: Event) -> None:
    if isinstance(event, Registered):
        instances[event.registration.endpoint.instance] = event
    else:
        instances.pop(event.instance, None)


def _merge(
    before: Mapping[ServiceName, Service],
    after: Mapping[ServiceName, Service | None],
) -> Mapping[ServiceName, Service]:
    merged = dict(before)
    for name, service in after.items():
        if service:
            merged[name] = service
        else:
            merged.pop(name, None)
    # A replaced value keeps its place, so only a new name disturbs the order.
    return dict(sorted(merged.items())) if after.keys() - before.keys() else merged


def _diff(before: Mapping[ServiceName, Service], after: Mapping[ServiceName, Service | None]) -> Changes:
    services, endpoints = set(), set()
    for name, new in after.items():
        old = before.get(name)
        if _description(old) != _description(new):
            services.add(name)
        if (old.endpoints if old else ()) != (new.endpoints if new else ()):
            endpoints.add(name)
    return Changes(services=frozenset(services), endpoints=frozenset(endpoints))


def _description(service: Service | None) -> tuple[tuple[ServicePort, ...], Contract] | None:
    return (service.ports, service.contract) if service else None


def _build(name: ServiceName, instances: Mapping[InstanceId, Registered]) -> Service | None:
    if not instances:
        return None
    by_instance = dict(sorted(instances.items()))
    newest_first = sorted(by_instance.values(), key=attrgetter("entered"), reverse=True)
    contract, contract_conflicts = _contract(newest_first)
    ports, port_conflicts = _ports(newest_first)
    return Service(
        name=name,
        ports=ports,
        contract=contract,
        endpoints=tuple(event.registration.endpoint for event in by_instance.values()),
        conflicts=tuple(sorted([*contract_conflicts, *port_conflicts], key=attrgetter("field"))),
        registered=by_instance,
    )


def _contract(newest_first: list[Registered]) -> tuple[Contract, Iterator[Conflict]]:
    promises = [event for event in newest_first if event.registration.contract != Contract()]
    if not promises:
        return Contract(), iter(())
    winner = promises[0].registration
    losers = [event for event in promises if event.registration.contract != winner.contract]
    return winner.contract, _conflicts({"contract": (winner.endpoint.instance, losers)})


def _ports(newest_first: list[Registered]) -> tuple[tuple[ServicePort, ...], Iterator[Conflict]]:
    """Every port by the newest registration that names it or its number, sorted by number."""
    chosen: dict[str, tuple[ServicePort, InstanceId]] = {}
    numbers: dict[int, str] = {}
    losers: dict[str, list[Registered]] = {}
    for event in newest_first:
        for port in event.registration.ports:
            name = port.name if port.name in chosen else numbers.get(port.port)
            if name is None:
                chosen[port.name] = (port, event.registration.endpoint.instance)
                numbers[port.port] = port.name
            elif chosen[name][0] != port:
                losers.setdefault(name, []).append(event)
    ports = sorted((port for port, _ in chosen.values()), key=attrgetter("port"))
    found = {f"ports.{name}": (chosen[name][1], events) for name, events in losers.items()}
    return tuple(ports), _conflicts(found)


def _conflicts(found: Mapping[str, tuple[InstanceId, list[Registered]]]) -> Iterator[Conflict]:
    for path, (winner, events) in found.items():
        losers = {event.registration.endpoint.instance for event in events}
        if losers:
            yield Conflict(field=path, winner=winner, losers=tuple(sorted(losers)))
