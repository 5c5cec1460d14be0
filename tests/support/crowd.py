"""A crowd of clients, of HTTP/1.1 and gRPC, some of them cut off at any point; what the others heard."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random

import grpc.aio

from tests.support.grpcapp import ECHO, ask
from tests.support.rawclient import RawClient
from tests.support.refusal import reason

STAYING, LEAVING = "/stays", "/leaves"
MOST_BEFORE_A_CUT = 20
LONGEST_STAY_SECONDS = 0.02
PATIENCE_SECONDS = 60
BODY = "x" * 200


@dataclass(slots=True)
class Crowd:
    """Those who call one service through a sidecar's port, as often as `requests` says, all of them together.

    `heard` is what those that stayed were answered, the reason of a refusal or else a status; `left` counts
    those that were cut off. For the moment `method` is what is called over gRPC, and with `shares_names` two
    connections each call themselves the same, in `x-client`.
    """

    port: int
    host: str
    requests: Iterator[int]
    method: str = ECHO
    shares_names: bool = False
    heard: Counter[str] = field(default_factory=Counter)
    left: int = 0

    async def visit(self, place: int) -> None:
        """Ask over one connection of HTTP/1.1, again after each cut."""
        draw, is_over = self._draw(place), False
        while not is_over:
            async with RawClient(self.port, timeout_seconds=PATIENCE_SECONDS) as client:
                for _ in self._until_a_cut(draw):
                    await client.ask(
                        STAYING, host=self.host, method="POST", body=BODY, x_client=self._name(place)
                    )
                    answer = await client.response()
                    self.heard[reason(answer) or str(answer.status)] += 1
                if not (is_over := self._is_over()):
                    await self._leave(client, draw)

    async def visit_rpc(self, place: int) -> None:
        """Call over one connection of HTTP/2, a new one after each call that was cut, for it or with it."""
        draw, is_over = self._draw(place), False
        while not is_over:
            async with grpc.aio.insecure_channel(
                f"127.0.0.1:{self.port}", options=self._options()
            ) as channel:
                for _ in self._until_a_cut(draw):
                    answer = await ask(
                        channel,
                        self.method,
                        STAYING.encode(),
                        timeout_seconds=PATIENCE_SECONDS,
                        x_client=self._name(place),
                    )
                    self.heard[answer.error.reason if answer.error else answer.code.name] += 1
                if not (is_over := self._is_over()):
                    await self._cancel(channel, draw)

    def _name(self, place: int) -> str:
        return f"pair {place // 2}" if self.shares_names else f"alone {place}"

    def _draw(self, place: int) -> Random:
        return Random(f"{self.host} {place}")  # noqa: S311 (the same cuts every time)

    def _options(self) -> list[tuple[str, str | int]]:
        alone = ("grpc.use_local_subchannel_pool", 1)
        return [("grpc.default_authority", self.host), ("grpc.enable_retries", 0), alone]

    def _until_a_cut(self, draw: Random) -> Iterator[int]:
        return islice(self.requests, draw.randrange(MOST_BEFORE_A_CUT))

    def _is_over(self) -> bool:
        """Take one more request, which is to be cut off; true if there is none."""
        is_over = next(self.requests, None) is None
        self.left += not is_over
        return is_over

    async def _leave(self, client: RawClient, draw: Random) -> None:
        """Ask, perhaps not to the end, stay for a moment, and go by FIN or RST."""
        head = f"POST {LEAVING} HTTP/1.1\r\nhost: {self.host}\r\ncontent-length: {len(BODY)}\r\n\r\n"
        request = (head + BODY).encode()
        await client.send(request[: draw.randrange(1, 3 * len(request))])
        await asyncio.sleep(draw.uniform(0, LONGEST_STAY_SECONDS))
        if draw.random() < 0.5:
            client.reset()

    async def _cancel(self, channel: grpc.aio.Channel, draw: Random) -> None:
        """Call, wait for a moment, and reset the stream, or leave that to the end of the connection."""
        calling: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(self.method)
        call = calling(LEAVING.encode())
        await asyncio.sleep(draw.uniform(0, LONGEST_STAY_SECONDS))
        if draw.random() < 0.5:
            call.cancel()
