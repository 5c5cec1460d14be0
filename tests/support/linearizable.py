"""Clients of one store that note everything they do, and the judge of what they noted."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.errors import KeyNotFoundError, RevisionMismatchError, StoreUnavailableError
from registry.model import Revision
from registry.store import ABSENT, Check, Listing, Store, Write
from tests.support.gotools import PORCUPINE, built

PREFIX = "/judged/"
KEYS = tuple(f"{PREFIX}{name}" for name in "abc")
PAUSE_SECONDS = 0.01


@dataclass(slots=True)
class History:
    """What was done to a store, in the order of the ends, as the judge reads it."""

    operations: list[dict[str, Any]] = field(default_factory=list)

    def outcomes(self) -> set[str]:
        return {operation["outcome"] for operation in self.operations}

    def writes_done(self) -> int:
        return sum("write" in each and each["outcome"] == "done" for each in self.operations)

    async def is_linearizable(self) -> bool:
        """Whether some order of the operations, each within its time, explains every answer."""
        judge = await asyncio.create_subprocess_exec(
            *(built(PORCUPINE) / "porcupine",), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        text = "\n".join(map(json.dumps, self.operations))
        said, _ = await judge.communicate(text.encode())
        return said.strip() == b"Ok"


class Client:
    """One client: reads and writes a few keys at random, never two operations at a time."""

    def __init__(
        self, number: int, store: Store, history: History, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._pause_seconds = pause_seconds
        self._number = number
        self._store = store
        self._history = history
        self._chance = random.Random(number)  # noqa: S311 (the same choices in each run)
        self._known: dict[str, Revision] = {}
        self._written = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Goes on until told to stop."""
        acts = (self._get, self._list, self._put, self._replace, self._replace_two, self._delete)
        while not stop.is_set():
            await self._chance.choice(acts)(self._chance.choice(KEYS))
            await asyncio.sleep(self._chance.uniform(0, 2 * self._pause_seconds))

    async def _get(self, key: str) -> None:
        async def get() -> Listing:
            try:
                return Listing(entries=(await self._store.get(key),), revision=ABSENT)
            except KeyNotFoundError:
                return Listing(entries=(), revision=ABSENT)

        await self._read([key], get())

    async def _list(self, _: str) -> None:
        await self._read(KEYS, self._store.list(PREFIX))

    async def _put(self, key: str) -> None:
        value = self._value()
        await self._write({key: value}, {}, self._store.put(key, value))

    async def _replace(self, key: str) -> None:
        value, known = self._value(), self._known.get(key, ABSENT)
        await self._write({key: value}, {key: known}, self._store.put(key, value, expect=known))

    async def _replace_two(self, key: str) -> None:
        other = KEYS[(KEYS.index(key) + 1) % len(KEYS)]
        values, known = {key: self._value(), other: self._value()}, self._known.get(key, ABSENT)
        writes = [Write(key=each, value=value) for each, value in values.items()]
        checks = [Check(key=key, revision=known)]
        await self._write(values, {key: known}, self._store.commit(writes, checks=checks))

    async def _delete(self, key: str) -> None:
        await self._write({key: None}, {}, self._store.delete(key))

    def _value(self) -> bytes:
        self._written += 1
        return f"{self._number}-{self._written}".encode()

    async def _read(self, keys: Sequence[str], call: Awaitable[Listing]) -> None:
        start = time.monotonic_ns()
        try:
            listing = await call
        except StoreUnavailableError:
            return  # a read that failed says nothing
        found = {entry.key: entry for entry in listing.entries}
        self._known = {key: rev for key, rev in self._known.items() if key not in keys}
        self._known |= {key: entry.revision for key, entry in found.items()}
        self._note(
            start,
            read=list(keys),
            outcome="done",
            revision=listing.revision,
            found={key: _entry(entry.value, entry.revision) for key, entry in found.items()},
        )

    async def _write(
        self, values: Mapping[str, bytes | None], checks: Mapping[str, int], call: Awaitable[Revision | None]
    ) -> None:
        start = time.monotonic_ns()
        write = {key: _entry(value) for key, value in values.items()}
        try:
            revision = await call
        except RevisionMismatchError as error:
            found = {error.key: _entry(None, error.found)}
            self._note(start, write=write, checks=checks, outcome="mismatch", found=found)
        except StoreUnavailableError:
            self._note(start, write=write, checks=checks, outcome="unknown")
        else:
            if revision is None:  # there was nothing to delete
                self._note(start, read=list(values), outcome="done", found={})
                return
            self._note(start, write=write, checks=checks, outcome="done", revision=revision)
            self._known |= dict.fromkeys(values, revision)

    def _note(self, start: int, **what: object) -> None:
        self._history.operations.append(
            {"client": self._number, "start": start, "end": time.monotonic_ns(), **what}
        )


def _entry(value: bytes | None, revision: int = 0) -> dict[str, str | int | None]:
    return {"value": value.decode() if value is not None else None, "revision": revision}
