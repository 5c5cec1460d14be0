"""Where sidecars stand: what they should apply, and what they say that they apply."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from controlplane.model.resource import ResourceName, Version
from registry.model import ServiceName

REFUSALS_SHOWN: Final = 3
"""How many sidecars are named that refused a policy: the others mostly say the same."""


class SidecarState(Enum):
    """Where a sidecar stands."""

    SYNCED = "SYNCED"
    STALE = "STALE"
    REJECTED = "REJECTED"
    OFFLINE = "OFFLINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A version that a sidecar refused; `field_path` is empty when the whole is at fault."""

    resource: ResourceName
    version: Version
    field_path: str
    reason: str

    @property
    def text(self) -> str:
        """What was wrong, and where."""
        return f"{self.field_path}: {self.reason}" if self.field_path else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceConvergence:
    """One resource of one sidecar; `None` stands for none."""

    resource: ResourceName
    applied: Version | None
    desired: Version | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Who a sidecar is: its name in the mesh, the services it belongs to, and its program's version.

    `service_account` is the one that it takes itself for, in rules that speak of one; empty for none.
    `revision` is the newest at which it applied all that it held, zero when there is none.
    """

    instance: str
    services: tuple[ServiceName, ...]
    version: str
    revision: int = 0
    service_account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarStatus:
    """One sidecar.

    `age_seconds` is the time since it connected, or since it left when it is OFFLINE. `revision` is the
    newest at which it applied all that it wants; `lag` the revisions since. `last_ack_age_seconds` is `None`
    before its first acknowledgement. `resources` is how many it applies; `convergence` has each that it
    wants, sorted, when it was asked for.
    """

    hello: Hello
    state: SidecarState
    age_seconds: float
    revision: int
    lag: int
    last_ack_age_seconds: float | None
    rejections: tuple[Rejection, ...]
    pushes: int
    resources: int
    convergence: tuple[ResourceConvergence, ...] = ()

    def is_in(self, namespace: str) -> bool:
        """Whether it belongs to a service of a namespace; every sidecar is in the one without a name."""
        return not namespace or any(service.namespace == namespace for service in self.hello.services)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A sidecar as one control plane knows it; its resident memory in bytes is zero when nothing said it."""

    status: SidecarStatus
    resident_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Refusal:
    """A sidecar that refused a policy, and what was wrong in its eyes."""

    instance: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConvergence:
    """How many connected sidecars a policy concerns, apply its current version, and refused it.

    `refusals` are the first of those that refused it, sorted: at most `REFUSALS_SHOWN`.
    """

    targeted: int = 0
    applied: int = 0
    rejected: int = 0
    refusals: tuple[Refusal, ...] = ()
