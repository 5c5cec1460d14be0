"""What a sidecar and the machine of its stream exchange, and what that knows of the newest snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NewType, Protocol

from controlplane.model.resource import ResourceName, Version
from controlplane.model.sidecar import Rejection

Nonce = NewType("Nonce", str)


class Desired(Protocol):
    """The newest snapshot, as far as the machine looks at it."""

    @property
    def revision(self) -> int:
        """Revision of the policy set."""
        ...

    @property
    def is_settled(self) -> bool:
        """Whether what is absent is gone, rather than on the way back after a restart."""
        ...

    def find(self, resource: ResourceName) -> Version | None:
        """The version that every reader should have, or `None` when there is no such resource."""
        ...

    def is_awaited(self, resource: ResourceName) -> bool:
        """Whether more of it than there is may be on the way back after a restart."""
        ...

    def behind(self, resource: ResourceName) -> frozenset[ResourceName]:
        """What a HOST brings with it; nothing when it does not exist."""
        ...

    def size_bytes(self, resource: ResourceName) -> int:
        """The size of the encoding of a resource that exists."""
        ...


class Stage(Enum):
    """How far a response got."""

    RECEIVED = "received"
    APPLIED = "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What became of a response: all of it reached `stage`, but for the rejections."""

    nonce: Nonce
    stage: Stage
    rejections: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One message: resources in the order to send them, what is gone, and what does not exist.

    All that is wanted is current at `revision` once this is applied.
    """

    nonce: Nonce
    revision: int
    resources: Mapping[ResourceName, Version]
    removed: tuple[ResourceName, ...]
    missing: tuple[ResourceName, ...]
