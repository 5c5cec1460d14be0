"""One connected sidecar: its pure state, and what the clock adds to it."""

import asyncio
from dataclasses import dataclass, field

from controlplane.discovery.desired import Published
from controlplane.discovery.subscription import Subscription, refusals, settled_revision
from controlplane.model.sidecar import Hello, ResourceConvergence, SidecarState, SidecarStatus


@dataclass(slots=True, eq=False, kw_only=True)
class Stream:
    """A sidecar from its hello to its last message.

    `wake` says that there may be something to send, `replaced` that the sidecar opened another stream.
    `sent_ns` maps nonces to the instants of sending; `behind_ns` is since when something has been pending.
    """

    hello: Hello
    state: Subscription
    joined_ns: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    replaced: asyncio.Event = field(default_factory=asyncio.Event)
    pushes: int = 0
    sent_ns: dict[str, int] = field(default_factory=dict)
    last_ack_ns: int | None = None
    behind_ns: int | None = None

    def standing(self, desired: Published) -> SidecarState:
        """Where the sidecar stands, by what it confirmed."""
        if not self.state.pending:
            return SidecarState.SYNCED
        return SidecarState.REJECTED if refusals(self.state, desired) else SidecarState.STALE

    def status(self, desired: Published, now_ns: int) -> SidecarStatus:
        """What is known of the sidecar at `now_ns`, without its resources."""
        revision = settled_revision(self.state, desired)
        return SidecarStatus(
            hello=self.hello,
            state=self.standing(desired),
            age_seconds=(now_ns - self.joined_ns) / 1e9,
            revision=revision,
            lag=desired.revision - revision,
            last_ack_age_seconds=(now_ns - self.last_ack_ns) / 1e9 if self.last_ack_ns is not None else None,
            rejections=refusals(self.state, desired),
            pushes=self.pushes,
            resources=len(self.state.wanted & self.state.applied.keys()),
        )

    def convergence(self, desired: Published) -> tuple[ResourceConvergence, ...]:
        """Every resource that the sidecar wants, sorted."""
        return tuple(
            ResourceConvergence(
                resource=name, applied=self.state.applied.get(name), desired=desired.find(name)
            )
            for name in sorted(self.state.wanted)
        )
