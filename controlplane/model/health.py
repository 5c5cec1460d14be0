"""Health of endpoints as sidecars share it: who checks a service, and what they found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from registry.model import ServiceName


class EndpointPort(NamedTuple):
    """One port of one instance, which is probed by itself."""

    instance: str
    port: int


class Votes(NamedTuple):
    """How many sidecars found an endpoint healthy, and how many did not."""

    healthy: int = 0
    unhealthy: int = 0

    def plus(self, other: "Votes") -> "Votes":
        """Both together."""
        return Votes(self.healthy + other.healthy, self.unhealthy + other.unhealthy)

    def without(self, verdict: bool | None) -> "Votes":
        """The same without one sidecar's verdict; `None`: it has none."""
        if verdict is None:
            return self
        return Votes(self.healthy - verdict, self.unhealthy - (not verdict))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one sidecar says of a service that it checks: which checkers it knows, and its own verdicts.

    What it holds unhealthy by the word of others is `doubted`.
    """

    service: ServiceName
    version: int = 0
    verdicts: Mapping[EndpointPort, bool] = field(default_factory=dict)
    doubted: frozenset[EndpointPort] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthShare:
    """What the sidecars of one replica know of a service: who checks it, and the votes by endpoint."""

    checkers: frozenset[int] = frozenset()
    votes: Mapping[EndpointPort, Votes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OthersHealth:
    """What a sidecar is told of a service; `checkers` are ascending, and none where it knows the version."""

    service: ServiceName
    version: int
    checkers: tuple[int, ...]
    votes: Mapping[EndpointPort, Votes]
