"""The catalogue against a model that forgets nothing and works everything out from the start."""

from dataclasses import replace

from registry.catalog import Catalog, Event, Registered, Removed, apply
from registry.model import Contract, InstanceId, Protocol, Registration, Revision, ServiceName, ServicePort
from tests.support import drawn
from tests.support.registrations import registration
from tests.support.sequences import invariant, rule, shown

SERVICES = [ServiceName(namespace="shop", name=name) for name in ("cart", "payments")]
PORTS = [
    ServicePort(name="http", port=80),
    ServicePort(name="http", port=80, protocol=Protocol.GRPC),
    ServicePort(name="web", port=80),
    ServicePort(name="web", port=81),
]

registrations = drawn.builds(
    lambda instance, service, port, version, address: registration(
        instance, service=service, ports=(port,), contract=Contract(version=version), address=address
    ),
    instance=drawn.sampled_from(["a", "b", "c"]),
    service=drawn.sampled_from(SERVICES),
    port=drawn.sampled_from(PORTS),
    version=drawn.sampled_from(["", "1", "2"]),
    address=drawn.sampled_from(["10.0.0.1", "10.0.0.2"]),
)

Alive = list[Registration]
"""Who is registered, newest first."""


def key(what: Registration) -> tuple[ServiceName, InstanceId]:
    return what.service, what.endpoint.instance


class CatalogMachine:
    """Feeds batches of events to the catalogue and to a plain list of who is alive."""

    def __init__(self) -> None:
        self.catalog = Catalog(revision=Revision(0))
        self.alive: Alive = []
        self.revision = 0

    @rule(batch=drawn.lists(drawn.tuples(registrations, drawn.booleans()), max_size=4))
    def apply_batch(self, batch: list[tuple[Registration, bool]]) -> None:
        before = self.alive
        events = [self._next_event(what, leaves=leaves) for what, leaves in batch]
        self.catalog, changes = apply(self.catalog, events)
        for name in SERVICES:
            assert (name in changes.services) == (description(before, name) != description(self.alive, name))
            assert (name in changes.endpoints) == (endpoints(before, name) != endpoints(self.alive, name))

    def _next_event(self, what: Registration, *, leaves: bool) -> Event:
        self.revision += 1
        revision = Revision(self.revision)
        self.alive = [other for other in self.alive if key(other) != key(what)]
        if leaves:
            return Removed(service=what.service, instance=what.endpoint.instance, revision=revision)
        self.alive = [what, *self.alive]
        return Registered(registration=what, revision=revision, entered=revision)

    @invariant()
    def agrees_with_the_model(self) -> None:
        assert list(self.catalog.services) == sorted({what.service for what in self.alive})
        assert self.catalog.revision == self.revision
        for name, service in self.catalog.services.items():
            assert (service.ports, service.contract) == description(self.alive, name)
            assert service.endpoints == endpoints(self.alive, name)
            assert bool(service.conflicts) == disagree(self.alive, name)


def members(alive: Alive, name: ServiceName) -> Alive:
    return [what for what in alive if what.service == name]


def endpoints(alive: Alive, name: ServiceName) -> tuple[object, ...]:
    found = {what.endpoint.instance: what.endpoint for what in members(alive, name)}
    return tuple(found[instance] for instance in sorted(found))


def description(alive: Alive, name: ServiceName) -> tuple[tuple[ServicePort, ...], Contract] | None:
    if not members(alive, name):
        return None
    ports: list[ServicePort] = []
    for what in members(alive, name):
        (port,) = what.ports
        if all(port.name != taken.name and port.port != taken.port for taken in ports):
            ports.append(port)
    promises = [what.contract for what in members(alive, name) if what.contract.version]
    return tuple(sorted(ports, key=lambda port: port.port)), (promises or [Contract()])[0]


def disagree(alive: Alive, name: ServiceName) -> bool:
    chosen = description(alive, name)
    assert chosen is not None
    ports, contract = chosen
    return any(
        what.ports[0] not in ports
        or replace(what.contract, version=what.contract.version or contract.version) != contract
        for what in members(alive, name)
    )


test_the_catalogue_is_what_a_list_says = shown(CatalogMachine, steps=14)
