"""A real control plane on a core of its own, over a real etcd that holds the bench's world."""

import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from controlplane.model.document import Document
from controlplane.model.schema import Schema
from controlplane.model.text import document_text
from controlplane.sources import stored
from controlplane.sources.codec import load_schema
from controlplane.sources.reader import parse
from registry.codec import encode_registration
from registry.config import parse_location
from registry.keys import registration_key
from registry.model import Registration
from registry.opening import open_store
from registry.store import TRANSACTION_MAX, Store, Write
from tests.bench.controlplane.world import World
from tests.bench.machine import Usage, resident_kib, usage
from tests.bench.site import pinned
from tests.support.etcd import one_member
from tests.support.mesh import ControlPlane, controlplane

# What users start: `python -m` would keep the modules of its own start in memory.
PROGRAM: Final = Path(sys.executable).with_name("breakwater-controlplane")

SCHEMA: Final = load_schema()
_FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The store, where it is, and the world that it was filled with."""

    location: str
    pid: int
    store: Store
    world: World

    async def edit(self, number: int, *, timeout_ms: int) -> int:
        """Change a policy; return the instant at which that began."""
        document = _document(self.world.policy(number, timeout_ms=timeout_ms), SCHEMA)
        write = _policy(document)
        began_ns = time.monotonic_ns()
        await self.store.put(write.key, write.value)
        return began_ns

    async def register(self, number: int, position: int) -> int:
        """Register an instance anew; return the instant at which that began, which its endpoint bears."""
        began_ns = time.monotonic_ns()
        write = _registration(self.world.registration(number, position, written_ns=began_ns))
        await self.store.put(write.key, write.value)
        return began_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A control plane that runs, and what it costs."""

    running: ControlPlane

    @property
    def port(self) -> int:
        """Where sidecars connect."""
        return self.running.discovery

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.running.process.pid

    def resident_kib(self) -> int:
        """Return its resident memory."""
        return resident_kib(self.pid)

    def usage(self) -> Usage:
        """Return the CPU it used so far."""
        return usage(self.pid)

    async def has_converged(self) -> bool:
        """Return whether all sidecars apply all they want."""
        status = await self.running.ask("GetStatus")
        return bool(status["connectedSidecars"] == status["convergedSidecars"])


@asynccontextmanager
async def registry(scratch: Path, world: World) -> AsyncIterator[Registry]:
    """Run an etcd that holds a world."""
    async with (
        one_member(scratch / "etcd") as member,
        open_store(parse_location(member.location)) as store,
    ):
        for some in _batches(_everything(world)):
            await store.commit(some)
        yield Registry(location=member.location, pid=member.process.pid, store=store, world=world)


@asynccontextmanager
async def plane(scratch: Path, registry: Registry, core: int) -> AsyncIterator[Plane]:
    """Run a control plane on one core; returns once it is ready."""
    policies = scratch / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    async with controlplane(
        scratch, policies, store=registry.location, program=(str(PROGRAM),), prefix=pinned(core)
    ) as running:
        yield Plane(running=running)


def _everything(world: World) -> Iterator[Write]:
    yield from map(_registration, world.registrations())
    for number in range(world.policies):
        yield _policy(_document(world.policy(number), SCHEMA))


def _registration(registration: Registration) -> Write:
    key = registration_key(registration.service, registration.endpoint.instance)
    return Write(key=key, value=encode_registration(registration))


def _document(text: str, schema: Schema) -> Document:
    [document] = parse(text, stored.FILE, schema).documents
    return replace(document, generation=1, created_at=_FIRST)


def _policy(document: Document) -> Write:
    return Write(
        key=stored.key_of(document.key), value=stored.encode(document, document_text(document, SCHEMA))
    )


def _batches(writes: Iterable[Write]) -> Iterator[tuple[Write, ...]]:
    left = iter(writes)
    while some := tuple(islice(left, TRANSACTION_MAX)):
        yield some
