"""A name server that answers as its script says, and the way to have a program ask it.

It has a loopback address of its own, since `/etc/resolv.conf` knows no ports: name servers listen on 53. The
program gets a mount namespace in which that file is another one, so that it needs no flag for tests.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

_PORT = 53
_CANDIDATES = 256
_HEADER = struct.Struct("!6H")
_QUESTION_END = struct.Struct("!2H")
_RECORD = struct.Struct("!3HIH")
_RESPONSE = 0x8180  # a response, recursion desired and available
_NAME_OF_QUESTION = 0xC00C
_INTERNET = 1
_TYPES = {4: 1, 6: 28}
"""Types of the records of addresses, A and AAAA, by the version of IP."""


class Refusal(Enum):
    """Answers without records, by their response codes."""

    EMPTY = 0
    SERVFAIL = 2
    NXDOMAIN = 3


@dataclass(frozen=True, slots=True)
class Addresses:
    """Records of addresses, each in its family; a family without one is empty. They come `after_seconds`."""

    addresses: tuple[str, ...]
    ttl: int = 5
    after_seconds: float = 0


class Held(Enum):
    """No answer before `release`."""

    HELD = "held"


SILENCE = None
"""No answer at all."""

Answer: TypeAlias = Addresses | Refusal | Held | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked, and when by the clock of the event loop."""

    host: str
    type: int
    at: float


class ScriptedDns:
    """A name server from `async with` entry to exit; `answers` by host, NXDOMAIN for all others.

    It has a socket of its own unless it is given one.
    """

    def __init__(self, answers: dict[str, Answer] | None = None, own: socket.socket | None = None) -> None:
        self.answers = answers or {}
        self.questions: list[Question] = []
        self.address = ""
        self._own = own
        self._held: list[tuple[bytes, tuple[str, int]]] = []
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        own = self._own or listener()
        self.address = own.getsockname()[0]
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self), sock=own)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    def asked(self, host: str) -> int:
        """How often addresses of a host were asked for, either family."""
        return sum(question.host == host for question in self.questions)

    def prefix(self, scratch: Path) -> tuple[str, ...]:
        """Return what goes before a command to have it ask here, and nobody else."""
        file = scratch / f"resolv-{self.address}.conf"
        file.write_text(f"nameserver {self.address}\n")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", script, str(file))

    def release(self, host: str, answer: Answer) -> None:
        """Answer this to what was asked about a host and held, and from now on."""
        self.answers[host] = answer
        held, self._held = self._held, []
        for query, address in held:
            self.take(query, address)

    def take(self, query: bytes, address: tuple[str, int]) -> None:
        """Answer a query that came from an address, or keep it."""
        host, _, _ = _question(query)
        if self.answers.get(host) is Held.HELD:
            self._held.append((query, address))
        found = self.answer(query)
        if found and self._transport:
            answer, after_seconds = found
            asyncio.get_running_loop().call_later(after_seconds, self._transport.sendto, answer, address)

    def answer(self, query: bytes) -> tuple[bytes, float] | None:
        """Return the answer to a query, and after how many seconds it comes; `None` for silence."""
        host, kind, question = _question(query)
        at = asyncio.get_running_loop().time()
        self.questions.append(Question(host=host, type=kind, at=at))
        match self.answers.get(host, Refusal.NXDOMAIN):
            case Addresses(addresses, ttl, after_seconds):
                records = [_record(one, ttl) for one in addresses if _type(one) == kind]
                return _message(query, question, 0, records), after_seconds
            case Refusal() as refusal:
                return _message(query, question, refusal.value, []), 0
            case Held.HELD | None:
                return None


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: ScriptedDns) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.take(data, addr)


def listener() -> socket.socket:
    """Return a socket on the port of name servers, at a loopback address that nobody else uses."""
    for number in range(1, _CANDIDATES):
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            found.bind((f"127.53.0.{number}", _PORT))
        except OSError:
            found.close()
        else:
            found.setblocking(False)  # noqa: FBT003 (the socket's own signature)
            return found
    raise OSError(f"expected a free loopback address for port {_PORT}, and the right to listen there")


def _question(query: bytes) -> tuple[str, int, bytes]:
    """Return the host and the type that a query asks for, and its question as it came."""
    labels, at = [], _HEADER.size
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    end = at + 1 + _QUESTION_END.size
    kind, _ = _QUESTION_END.unpack(query[at + 1 : end])
    return ".".join(labels).lower(), kind, query[_HEADER.size : end]


def _message(query: bytes, question: bytes, code: int, records: list[bytes]) -> bytes:
    number = int.from_bytes(query[:2])
    header = _HEADER.pack(number, _RESPONSE | code, 1, len(records), 0, 0)
    return header + question + b"".join(records)


def _record(address: str, ttl: int) -> bytes:
    data = ip_address(address).packed
    return _RECORD.pack(_NAME_OF_QUESTION, _type(address), _INTERNET, ttl, len(data)) + data


def _type(address: str) -> int:
    return _TYPES[ip_address(address).version]
