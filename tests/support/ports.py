"""Free loopback ports, for programs that must be told where to listen."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` distinct loopback ports that nothing listened on a moment ago.

    All are held until the last one is chosen, so that no port is given twice.
    """
    with ExitStack() as held:
        return tuple(_bound(held) for _ in range(count))


def free_port() -> int:
    """Return one loopback port that nothing listened on a moment ago."""
    return free_ports(1)[0]


def _bound(held: ExitStack) -> int:
    listener = held.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    return port
