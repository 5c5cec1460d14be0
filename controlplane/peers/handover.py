"""A replica that has lost the store, which others have, sends its sidecars to them.

What it would tell them grows old, and no registration can be renewed through it. It does so once in an
outage: whoever comes afterwards knows no better address, unless a load balancer does, to which it is not
ready meanwhile. While nobody has the store, what each of them knows is the best there is.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from registry.clock import Clock

PATIENCE_SECONDS: Final = 5
"""More than an election among the members of the store takes, and much less than a lease lives."""

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Handover:
    """Whether the store answers here and elsewhere, and what sends every sidecar away and counts them.

    It `is_missed` when others had it at the last look, and we had not.
    """

    is_missed: bool = field(default=False, init=False)
    is_connected: Callable[[], bool]
    is_elsewhere: Callable[[], Awaitable[bool]]
    dismiss: Callable[[], int]

    async def run(self, clock: Clock) -> None:
        """Looks every second, until cancelled."""
        seconds = 0
        while True:
            await clock.sleep(1)
            self.is_missed = not self.is_connected() and await self.is_elsewhere()
            seconds = seconds + 1 if self.is_missed else 0
            if seconds == PATIENCE_SECONDS:
                log.warning("sidecars sent to other replicas", sidecars=self.dismiss())
