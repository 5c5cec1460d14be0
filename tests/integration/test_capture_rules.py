"""The rules themselves, in the kernel: whose connections are led where, by either program that makes them."""

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.capture.namespace import APPLICATION_USER
from tests.support.capture.net import Pod, net
from tests.support.capture.programs import IPTABLES, NFTABLES, place
from tests.support.listening import listening

INBOUND, OUTBOUND, OPEN, SHUT = 15006, 15001, 7000, 7001
ORIGINAL = 80
"""SO_ORIGINAL_DST, of both families."""
SIDECAR_USER = 10002


@pytest.fixture(scope="module")
def pods() -> Iterator[tuple[Pod, Pod]]:
    with net(2) as on:
        first, second = on.pods
        yield first, second


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of every program that shows rules."""
    return place(tmp_path_factory.mktemp("programs"), (*NFTABLES, *IPTABLES))


@pytest.fixture(params=[NFTABLES, IPTABLES], ids=["nftables", "iptables"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The PATH on which there is one of the two programs."""
    return str(place(tmp_path, request.param))


def lead(pod: Pod, path: str, *flags: str) -> None:
    """Put rules in place in a pod, and nowhere else."""
    program = (sys.executable, "-m", "sidecar.capture", f"--exclude-user={SIDECAR_USER}")
    pod.namespace.run("env", f"PATH={path}", *program, *flags)


def rules(pod: Pod, programs: Path) -> tuple[str, ...]:
    """What the kernel holds, by either program, without its counters."""
    shown = (("nft", "list", "ruleset"), ("iptables-save", "-t", "nat"), ("ip6tables-save", "-t", "nat"))
    lines = "\n".join(pod.namespace.run(programs / name, *words) for name, *words in shown).splitlines()
    return tuple(line for line in lines if not line.startswith(("#", ":")) and "counter" not in line)


@asynccontextmanager
async def telling(pod: Pod, *places: tuple[str, int]) -> AsyncIterator[None]:
    """Tell everybody who connects there where he wanted to go."""

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wanted(writer.get_extra_info("socket")).encode())
        writer.close()

    async with AsyncExitStack() as servers:
        for place in places:
            await servers.enter_async_context(listening(tell, listener=pod.namespace.listen(*place)))
        yield


def wanted(accepted: socket.socket) -> str:
    """Where a connection was going, as the kernel remembers it, and where it is."""
    here, port = accepted.getsockname()[:2]
    try:
        there = _original(accepted)
    except FileNotFoundError:  # no rule ever looked at it
        there = f"{here}|{port}"
    return f"{there} at {port}"


def _original(accepted: socket.socket) -> str:
    if accepted.family == socket.AF_INET6:
        packed = accepted.getsockopt(socket.IPPROTO_IPV6, ORIGINAL, 28)
        address = socket.inet_ntop(socket.AF_INET6, packed[8:24])
    else:
        packed = accepted.getsockopt(socket.IPPROTO_IP, ORIGINAL, 16)
        address = socket.inet_ntop(socket.AF_INET, packed[4:8])
    return f"{address}|{struct.unpack('!H', packed[2:4])[0]}"


async def told(pod: Pod, address: str, port: int) -> str:
    """What is told to an application of a pod that connects there."""
    reader, writer = await asyncio.open_connection(sock=await pod.namespace.connect(address, port))
    said = (await reader.read()).decode()
    writer.close()
    return said


async def test_connections_are_led_to_the_sidecar_and_remember_where_they_were_going(
    pods: tuple[Pod, Pod], path: str
) -> None:
    one, other = pods
    sidecar = (("127.0.0.1", OUTBOUND), ("::1", OUTBOUND), (one.address, INBOUND), (one.address_v6, INBOUND))
    lead(one, path)
    async with telling(one, *sidecar):
        assert await told(one, "192.0.2.7", 80) == f"192.0.2.7|80 at {OUTBOUND}"
        assert await told(one, "2001:db8::7", 80) == f"2001:db8::7|80 at {OUTBOUND}"
        assert await told(other, one.address, 80) == f"{one.address}|80 at {INBOUND}"
        assert await told(other, one.address_v6, 80) == f"{one.address_v6}|80 at {INBOUND}"
    lead(one, path, "--remove")


async def test_what_stays_within_the_pod_is_left_alone(pods: tuple[Pod, Pod], path: str) -> None:
    one, _ = pods
    places = (("127.0.0.1", OPEN), ("::1", OPEN), (one.address, OPEN), (one.address_v6, OPEN))
    lead(one, path)
    async with telling(one, *places):
        for address, port in places:
            assert await told(one, address, port) == f"{address}|{port} at {OPEN}"
    lead(one, path, "--remove")


async def test_what_is_excluded_is_left_alone(pods: tuple[Pod, Pod], path: str) -> None:
    one, other = pods
    there, there_v6 = (other.address, other.address_v6)
    async with telling(other, (there, OPEN), (there_v6, OPEN)), telling(one, (one.address, OPEN)):
        for flags in (
            (f"--exclude-outbound-ports={OPEN},{SHUT}",),
            (f"--exclude-outbound-cidrs={there}/32,{there_v6},10.0.0.0/8",),
            (f"--exclude-user={APPLICATION_USER}",),
        ):
            lead(one, path, *flags)
            assert await told(one, there, OPEN) == f"{there}|{OPEN} at {OPEN}"
            assert await told(one, there_v6, OPEN) == f"{there_v6}|{OPEN} at {OPEN}"
        lead(one, path, f"--exclude-inbound-ports={OPEN}")
        assert await told(other, one.address, OPEN) == f"{one.address}|{OPEN} at {OPEN}"
    lead(one, path, "--remove")


async def test_nothing_gets_around_a_sidecar_that_is_not_there_yet(pods: tuple[Pod, Pod], path: str) -> None:
    one, other = pods
    lead(one, path)
    async with telling(other, (other.address, OPEN)), telling(one, (one.address, OPEN)):
        for caller, address in ((one, other.address), (other, one.address)):
            with pytest.raises(ConnectionRefusedError):
                await told(caller, address, OPEN)
    lead(one, path, "--remove")


def test_running_twice_leaves_what_running_once_does_and_removal_nothing(
    pods: tuple[Pod, Pod], path: str, programs: Path
) -> None:
    one, _ = pods
    before = rules(one, programs)
    lead(one, path, "--exclude-outbound-ports=1")
    lead(one, path, "--exclude-outbound-ports=2")
    once = rules(one, programs)
    lead(one, path, "--exclude-outbound-ports=2")
    assert rules(one, programs) == once != before
    lead(one, path, "--remove")
    lead(one, path, "--remove")
    assert rules(one, programs) == before
