"""Memory that was freed, given back to the system.

The C library keeps what is freed between two things that stay: 4 MB after a thousand sidecars connected at
once, whose first responses are large and gone a moment later. It gives whole pages of that back when asked,
in a millisecond or two.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.clock import Clock

EVERY_SECONDS: Final = 1.0
"""Time between two requests to give back: less than people look at memory, more than a push takes."""


async def give_back(clock: Clock, trim: Callable[[int], int] | None = None) -> None:
    """Gives back what is free, again and again until cancelled, by `trim` or whatever the C library has."""
    trim = trim or getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl, for one, has nothing to ask
    while trim:
        await clock.sleep(EVERY_SECONDS)
        trim(0)
