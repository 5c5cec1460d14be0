"""Where sidecars connect to the control plane: a thread of the core that carries every connection.

What happens on streams of discovery is taken in batches, once the descriptor is readable; what is sent goes
to any number of streams at once. Every other call is relayed to `backend`, an abstract Unix socket.
"""

from __future__ import annotations

from typing import Final

from sidecar import _core

Fanout = _core.Fanout

VERSION: Final = _core.VERSION
"""The version of the core, and of the distribution that it is part of."""

OPENED: Final = _core.OPENED
"""A stream was opened; the bytes are its `authorization`."""

RECEIVED: Final = _core.RECEIVED
"""A whole message came; the bytes are that."""

CLOSED: Final = _core.CLOSED
"""A stream is over."""
