"""The server's half of discovery against a simple sidecar, over a link that delays, repeats and breaks."""

from collections import deque
from dataclasses import dataclass, field, replace

from controlplane.discovery.exchange import Acknowledgement, Nonce, Response, Stage
from controlplane.discovery.subscription import Shift, Subscription
from controlplane.model.resource import ResourceName, ResourceType, Version
from controlplane.model.sidecar import Rejection
from tests.support import drawn
from tests.support.desired import FakeDesired, endpoints, host, outbound
from tests.support.sequences import ending, invariant, precondition, rule, shown

MESH = ResourceName(ResourceType.MESH, "default")
SERVICES = ("shop/cart", "shop/web")
HOSTS = tuple(host(service.replace("/", ".")) for service in SERVICES)
PARTS = tuple(part for service in SERVICES for part in (outbound(service), endpoints(service)))
ALL = (MESH, *HOSTS, *PARTS)
UNACCEPTABLE = 7
"""Every version whose number is a multiple of this one is refused by the sidecar."""


def number(version: Version) -> int:
    return int(version)


@dataclass
class Sidecar:
    """What it asked for, holds and refused; it answers each response as a sidecar must.

    What it gave up while that was on its way it may hold, and get once more when it asks again.
    """

    asked: set[ResourceName] = field(default_factory=set)
    given_up: set[ResourceName] = field(default_factory=set)
    held: dict[ResourceName, Version] = field(default_factory=dict)
    missing: set[ResourceName] = field(default_factory=set)

    def take(self, response: Response) -> list[Acknowledgement]:
        refused = []
        for name, version in response.resources.items():
            assert number(version) >= number(self.held.get(name, Version("0"))), "an older version was sent"
            assert self.held.get(name) != version or name in self.given_up, "what is held was sent again"
            if number(version) % UNACCEPTABLE == 0:
                refused.append(
                    Rejection(resource=name, version=version, field_path="", reason="expected better")
                )
            else:
                self.held[name] = version
        for name in (*response.removed, *response.missing):
            self.held.pop(name, None)
        self.missing = (self.missing - response.resources.keys()) | set(response.missing)
        applied = Acknowledgement(nonce=response.nonce, stage=Stage.APPLIED, rejections=tuple(refused))
        return [Acknowledgement(nonce=response.nonce, stage=Stage.RECEIVED), applied]


class Link:
    """Versions only grow, so that the sidecar can tell an older one."""

    def __init__(self) -> None:
        self.clock = 0
        self.desired = FakeDesired(versions={MESH: self.next_version()})
        self.sidecar = Sidecar()
        self.connect()

    def next_version(self) -> Version:
        self.clock += 1
        return Version(str(self.clock))

    @rule()
    def connect(self) -> None:
        """The stream breaks and the sidecar opens another: all in flight is lost."""
        self.to_sidecar: deque[Response] = deque()
        self.to_server: deque[Acknowledgement] = deque()
        self.last_ack: Acknowledgement | None = None
        self.sidecar.given_up.clear()
        self.state = Subscription(self.sidecar.held)
        self.index: set[ResourceName] = set()
        self.note(self.state.subscribe(self.sidecar.asked, (), self.desired))

    def note(self, shift: Shift) -> None:
        """Keep the index of what is wanted, as the fleet does."""
        self.index = (self.index | shift.wanted) - shift.unwanted

    @rule(names=drawn.subsets((MESH, *HOSTS)))
    def ask(self, names: set[ResourceName]) -> None:
        self.sidecar.asked |= names
        self.note(self.state.subscribe(names, (), self.desired))

    @rule(names=drawn.subsets((MESH, *HOSTS)))
    def give_up(self, names: set[ResourceName]) -> None:
        """The sidecar lets go of what nobody calls; what is in flight may bring it once more."""
        self.sidecar.asked -= names
        shift = self.state.subscribe((), names, self.desired)
        self.note(shift)
        for name in shift.unwanted:
            self.sidecar.held.pop(name, None)
        self.sidecar.given_up |= shift.unwanted

    def publish(self, desired: FakeDesired, changed: set[ResourceName], releases: set[ResourceName]) -> None:
        before, self.desired = self.desired, replace(desired, revision=self.desired.revision + 1)
        self.note(self.state.change(changed, self.desired, before.revision))
        self.state.release(releases)

    @rule(edits=drawn.subsets(ALL), held_back=drawn.subsets(ALL, or_none=True))
    def edit(self, edits: set[ResourceName], held_back: set[ResourceName]) -> None:
        """Some of what exists changes; what is held back is released by a later rule."""
        existing = edits & self.desired.versions.keys()
        versions = {**self.desired.versions, **{name: self.next_version() for name in existing}}
        self.publish(replace(self.desired, versions=versions), existing, existing - held_back)

    @rule(index=drawn.integers(0, len(SERVICES) - 1))
    def come_or_go(self, index: int) -> None:
        """A service with its host appears, or vanishes."""
        name, service = HOSTS[index], SERVICES[index]
        changed = {name, outbound(service), endpoints(service)}
        versions = {known: value for known, value in self.desired.versions.items() if known not in changed}
        services = {known: value for known, value in self.desired.services.items() if known != name}
        if name not in self.desired.versions:
            versions |= {part: self.next_version() for part in changed}
            services[name] = service
        self.publish(replace(self.desired, versions=versions, services=services), changed, changed)

    @rule()
    def release_all(self) -> None:
        self.state.release(ALL)

    @rule(limit_bytes=drawn.sampled_from((1, 1 << 20)))
    def send(self, limit_bytes: int) -> None:
        response = self.state.respond(self.desired, Nonce(self.next_version()), limit_bytes)
        if response:
            self.to_sidecar.append(response)

    @precondition(lambda self: self.to_sidecar)
    @rule()
    def deliver(self) -> None:
        self.to_server.extend(self.sidecar.take(self.to_sidecar.popleft()))

    @precondition(lambda self: self.to_server)
    @rule()
    def hear(self) -> None:
        self.last_ack = self.to_server.popleft()
        self.state.acknowledge(self.last_ack, self.desired)

    @precondition(lambda self: self.last_ack)
    @rule()
    def hear_again(self) -> None:
        assert self.last_ack
        self.state.acknowledge(self.last_ack, self.desired)

    @invariant()
    def nothing_queues(self) -> None:
        assert len(self.to_sidecar) <= 1

    @invariant()
    def index_has_what_is_wanted(self) -> None:
        assert self.index == self.state.applied.keys()

    @invariant()
    def server_never_believes_what_the_sidecar_does_not_apply(self) -> None:
        for name in self.state.applied.keys() - self.state.pending - self.sidecar.given_up:
            assert self.sidecar.held.get(name) == self.desired.find(name)

    @ending()
    def a_quiet_link_brings_what_is_desired(self) -> None:
        """However it went, but for what the sidecar refuses."""
        self.release_all()
        for _ in range(100):
            self.send(1)
            while self.to_sidecar:
                self.deliver()
            while self.to_server:
                self.hear()
        refused = {rejection.resource for rejection in self.state.refusals(self.desired)}
        assert self.state.pending.keys() == refused
        for name in self.state.applied.keys() - refused:
            assert self.sidecar.held.get(name) == self.desired.find(name)
        for name in self.sidecar.asked - self.desired.versions.keys():
            assert name not in self.sidecar.held


test_both_ends_agree_over_any_link = shown(Link, steps=24)
