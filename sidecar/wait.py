"""`breakwater-sidecar wait`: holds an application back until the sidecar beside it serves.

It is what a container that is no native sidecar runs after it starts, so that those after it start later.
"""

from __future__ import annotations

import socket
import time

from sidecar import flags

TYPE_CHECKING = False  # as `typing` has it, without the memory that importing it costs
if TYPE_CHECKING:
    from collections.abc import Sequence

DEADLINE_SECONDS = 120.0
"""As long as the startup probe of an injected sidecar is patient."""

_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 1.0


def wait(argv: Sequence[str]) -> str:
    """Return once the sidecar that serves `/ready` at `--http` is ready; or what is wrong."""
    given, problems = flags.parse(argv)
    problems += [f"--{name}: says nothing to `wait`, which knows --http" for name in given if name != "http"]
    if problems:
        return "; ".join(problems)
    place = given.get("http", [flags.BY_NAME["http"].default])[0]
    until = time.monotonic() + DEADLINE_SECONDS
    while not is_ready(place):
        if time.monotonic() > until:
            return f"the sidecar at {place} is not ready after {DEADLINE_SECONDS:.0f} s; its log says why"
        time.sleep(_PAUSE_SECONDS)
    return ""


def is_ready(place: str) -> bool:
    """Return whether a sidecar answers at `place` that it serves."""
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(f"GET /ready HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n".encode())
            return b" 200 " in connection.recv(64).partition(b"\r\n")[0]
    except (OSError, ValueError):
        return False
