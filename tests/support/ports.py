"""Free loopback ports, for programs that must be told where to listen.

They are taken from below those that the system gives to clients: a connection that somebody opens meanwhile
might get one before its program listens there. No process gives one twice, since a program takes a while to
listen, and workers that run tests side by side each have a slice of their own.
"""

import os
import random
import socket
from contextlib import ExitStack
from errno import EADDRINUSE
from pathlib import Path

LOWEST = 10_000
RANGE_OF_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
WORKER = "PYTEST_XDIST_WORKER"
WORKERS = "PYTEST_XDIST_WORKER_COUNT"
CHANCE = random.SystemRandom()
GIVEN: set[int] = set()


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` distinct loopback ports that nothing listened on a moment ago.

    All are held until the last one is chosen, so that no port is given twice.
    """
    ports = _slice()
    with ExitStack() as held:
        return tuple(_bound(held, ports) for _ in range(count))


def free_port() -> int:
    """Return one loopback port that nothing listened on a moment ago."""
    return free_ports(1)[0]


def _slice() -> range:
    """The ports that only this process gives; workers are called gw0, gw1 and so on."""
    highest = int(RANGE_OF_CLIENTS.read_text().split()[0])
    worker, workers = int(os.environ.get(WORKER, "gw0")[2:]), int(os.environ.get(WORKERS, "1"))
    size = (highest - LOWEST) // workers
    return range(LOWEST + worker * size, LOWEST + (worker + 1) * size)


def _bound(held: ExitStack, ports: range) -> int:
    while True:
        listener = held.enter_context(socket.socket())
        port = CHANCE.choice(ports)
        if port not in GIVEN and _is_free(listener, port):
            GIVEN.add(port)
            return port


def _is_free(listener: socket.socket, port: int) -> bool:
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno != EADDRINUSE:
            raise
        return False
    return True
