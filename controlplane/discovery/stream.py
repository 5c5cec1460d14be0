"""One connected sidecar: its state, and what the clock and the connection add to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from controlplane.discovery.desired import Published
from controlplane.discovery.exchange import Nonce
from controlplane.discovery.subscription import Subscription
from controlplane.errors import DiscoveryError
from controlplane.model.resource import ResourceName, ResourceType, Version
from controlplane.model.sidecar import Hello, ResourceConvergence, SidecarState, SidecarStatus
from registry.model import ServiceName


class Line(Protocol):
    """What carries responses to one sidecar."""

    def wake(self) -> None:
        """There may be something to send."""
        ...

    def end(self, error: DiscoveryError) -> None:
        """The stream ends, with an error that says why."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class Stream:
    """A sidecar from its hello to its last message; without a `line` nothing can be sent any more.

    `nonce` is the number of its last response, `sent_ns` maps those not confirmed to the instants of sending;
    `behind_ns` is since when something has been pending.
    """

    hello: Hello
    state: Subscription
    joined_ns: int
    line: Line | None = None
    pushes: int = 0
    nonce: int = 0
    sent_ns: dict[Nonce, int] = field(default_factory=dict)
    last_ack_ns: int | None = None
    behind_ns: int | None = None

    def wake(self) -> None:
        """Have looked for what is due."""
        if self.line:
            self.line.wake()

    @property
    def services(self) -> tuple[ServiceName, ...]:
        """The services that it belongs to: those it named, or else those whose members' rules it wants."""
        if self.hello.services:
            return self.hello.services
        names = (name.name for name in self.state.applied if name.type is ResourceType.INBOUND)
        return tuple(sorted(_service(name) for name in names))

    def standing(self, desired: Published) -> SidecarState:
        """Where the sidecar stands, by what it confirmed."""
        if not self.state.pending:
            return SidecarState.SYNCED
        return SidecarState.REJECTED if self.state.refusals(desired) else SidecarState.STALE

    def status(self, desired: Published, now_ns: int) -> SidecarStatus:
        """What is known of the sidecar at `now_ns`, without its resources."""
        revision = self.state.settled_revision(desired)
        return SidecarStatus(
            hello=replace(self.hello, services=self.services),
            state=self.standing(desired),
            age_seconds=(now_ns - self.joined_ns) / 1e9,
            revision=revision,
            lag=desired.revision - revision,
            last_ack_age_seconds=(now_ns - self.last_ack_ns) / 1e9 if self.last_ack_ns is not None else None,
            rejections=self.state.refusals(desired),
            pushes=self.pushes,
            resources=sum(version is not None for version in self.state.applied.values()),
        )


def _service(name: str) -> ServiceName:
    namespace, _, service = name.partition("/")
    return ServiceName(namespace=namespace, name=service)


def resource_convergence(
    applied: Mapping[ResourceName, Version | None], desired: Published
) -> tuple[ResourceConvergence, ...]:
    """Every resource that a sidecar wants, sorted, by the version that it applies."""
    return tuple(
        ResourceConvergence(resource=name, applied=version, desired=desired.find(name))
        for name, version in sorted(applied.items())
    )
