"""A replica that has lost the store, which others have, sends its sidecars to them.

What it would tell them grows old, and no registration can be renewed through it. It does so once in an
outage: whoever comes afterwards knows no better address.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from registry.clock import Clock

PATIENCE_SECONDS: Final = 5
"""More than an election among the members of the store takes, and much less than a lease lives."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Whether the store answers here and elsewhere, and what sends every sidecar away and counts them."""

    is_connected: Callable[[], bool]
    is_elsewhere: Callable[[], Awaitable[bool]]
    dismiss: Callable[[], int]

    async def run(self, clock: Clock) -> None:
        """Looks every second, until cancelled."""
        seconds = 0
        while True:
            await clock.sleep(1)
            is_missed = not self.is_connected() and await self.is_elsewhere()
            seconds = seconds + 1 if is_missed else 0
            if seconds == PATIENCE_SECONDS:
                log.warning("sidecars sent to other replicas", sidecars=self.dismiss())
