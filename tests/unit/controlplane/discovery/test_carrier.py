"""The carrier, between a fan-out and a server that the test writes down."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import grpc
import pytest

from controlplane.discovery.carrier import SLICE, Carrier
from controlplane.discovery.session import Session
from controlplane.errors import ProtocolError
from sidecar.fanout import CLOSED, OPENED, RECEIVED

INVALID, INTERNAL = grpc.StatusCode.INVALID_ARGUMENT.value[0], grpc.StatusCode.INTERNAL.value[0]


@dataclass
class FakeFanout:
    """Gives what the test puts in; notes what it is told."""

    ear: int
    bell: int
    events: list[tuple[int, int, bytes]] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    sent: list[tuple[list[int], bytes]] = field(default_factory=list)
    ended: list[tuple[int, int, str]] = field(default_factory=list)
    takes: int = 0

    def happen(self, *events: tuple[int, int, bytes]) -> None:
        self.events += events
        os.write(self.bell, b"x")

    def fileno(self) -> int:
        return self.ear

    def take(self) -> list[tuple[int, int, bytes]]:
        os.read(self.ear, 1 << 16)
        self.takes += 1
        taken, self.events = self.events, []
        return taken

    def accept(self, stream: int, /) -> None:
        self.accepted.append(stream)

    def send(self, streams: list[int], message: bytes, /) -> None:
        self.sent.append((streams, message))

    def end(self, stream: int, code: int, reason: str, /) -> None:
        self.ended.append((stream, code, reason))


@dataclass
class FakeServer:
    """Greets with the first message, unless it is `no`; then notes what comes."""

    carrier: Carrier | None = None
    sessions: dict[int, Session] = field(default_factory=dict)
    taken: list[tuple[int, bytes]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    news: bytes | None = None
    unlucky: int | None = None

    async def greet(self, session: Session, token: str) -> None:
        if await session.first() == b"no":
            raise ProtocolError(f"expected better, found {token}")
        self.sessions[session.number] = session
        assert self.carrier
        self.carrier.accept(session)

    def take(self, session: Session, message: bytes) -> None:
        if message == b"bug":
            raise LookupError
        self.taken.append((session.number, message))

    def find_next(self, session: Session) -> bytes | None:
        if session.number == self.unlucky:
            raise LookupError
        return self.news

    def leave(self, session: Session) -> None:
        self.left.append(session.number)


@contextmanager
def fanout() -> Iterator[FakeFanout]:
    ear, bell = os.pipe()
    try:
        yield FakeFanout(ear, bell)
    finally:
        os.close(ear)
        os.close(bell)


@asynccontextmanager
async def carried() -> AsyncIterator[tuple[FakeFanout, FakeServer]]:
    server = FakeServer()
    with fanout() as fake:
        async with asyncio.TaskGroup() as greetings:
            server.carrier = Carrier(fake, server, greetings)
            yield fake, server
            server.carrier.close()


async def idle() -> None:
    """Returns once the loop has done what there was."""
    for _ in range(8):
        await asyncio.sleep(0)


def joined(number: int) -> tuple[tuple[int, int, bytes], ...]:
    return (number, OPENED, b"Bearer t"), (number, RECEIVED, b"hello")


async def test_what_is_due_to_many_is_told_at_once() -> None:
    async with carried() as (fake, server):
        fake.happen(*joined(1), *joined(2), *joined(3))
        await idle()
        assert fake.accepted == [1, 2, 3]
        server.news = b"news"
        for session in server.sessions.values():
            session.wake()
            session.wake()
        await idle()
        assert fake.sent == [([1, 2, 3], b"news")]


async def test_what_came_before_the_greeting_is_taken_after_it() -> None:
    async with carried() as (fake, server):
        fake.happen(*joined(1), (1, RECEIVED, b"one"), (1, RECEIVED, b"two"))
        await idle()
        fake.happen((1, RECEIVED, b"three"))
        await idle()
        assert server.taken == [(1, b"one"), (1, b"two"), (1, b"three")]


async def test_who_is_refused_ends_alone() -> None:
    async with carried() as (fake, server):
        fake.happen((1, OPENED, b"Bearer mine"), (1, RECEIVED, b"no"), *joined(2))
        await idle()
        assert fake.ended == [(1, INVALID, "expected better, found mine")]
        assert fake.accepted == [2]
        assert server.left == [1]


@pytest.mark.parametrize("early", [15, 16])
async def test_who_says_much_before_an_answer_is_refused(early: int) -> None:
    async with carried() as (fake, _):
        fake.happen((1, OPENED, b""), *[(1, RECEIVED, b"x")] * (early + 1))
        await idle()
        assert bool(fake.ended) == (early == 16)


async def test_failure_of_one_stream_is_not_that_of_others() -> None:
    async with carried() as (fake, server):
        fake.happen(*joined(1), *joined(2))
        await idle()
        fake.happen((1, RECEIVED, b"bug"), (2, RECEIVED, b"fine"))
        await idle()
        assert [end[:2] for end in fake.ended] == [(1, INTERNAL)]
        assert server.taken == [(2, b"fine")]


async def test_stream_for_which_nothing_can_be_found_is_not_the_end_of_others() -> None:
    async with carried() as (fake, server):
        fake.happen(*joined(1), *joined(2), *joined(3))
        await idle()
        server.news, server.unlucky = b"news", 2
        for numbers in ((1, 2, 3), (1, 3)):
            for number in numbers:
                server.sessions[number].wake()
            await idle()
        assert [end[:2] for end in fake.ended] == [(2, INTERNAL)]
        assert fake.sent == [([1, 3], b"news")] * 2


async def test_closed_stream_is_left_once_and_sent_nothing() -> None:
    async with carried() as (fake, server):
        fake.happen(*joined(1))
        await idle()
        fake.happen((1, CLOSED, b""), (1, RECEIVED, b"late"))
        await idle()
        assert (server.left, server.taken) == ([1], [])
    assert server.left == [1]


async def test_stream_that_is_closed_while_it_is_greeted_is_forgotten() -> None:
    async with carried() as (fake, server):
        fake.happen((1, OPENED, b""), (1, CLOSED, b""))
        await idle()
        assert (server.left, fake.ended) == ([1], [])


async def test_much_at_once_is_taken_in_turns() -> None:
    async with carried() as (fake, server):
        fake.happen(*joined(1))
        await idle()
        fake.happen(*[(1, RECEIVED, b"x")] * (2 * SLICE + 1))
        takes, counts = fake.takes, []
        for _ in range(8):
            await asyncio.sleep(0)
            counts.append(len(server.taken))
        assert [count for count in dict.fromkeys(counts) if count] == [SLICE, 2 * SLICE, 2 * SLICE + 1]
        assert fake.takes == takes + 1
        fake.happen((1, RECEIVED, b"last"))
        await idle()
        assert server.taken[-1] == (1, b"last")
