"""Policies from a directory of YAML files, watched for edits.

The directory is looked at every 50 ms; a file that changed is read once it has rested for 20 ms, so that
one being written is not read half, and one that was emptied once it has for a second, since whoever writes a
file in its place empties it first. Files that are renamed into place, as editors and Kubernetes do, need no
more. Hidden files and directories are left alone.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from controlplane.model.document import Problem
from controlplane.sources.nodes import MAX_BYTES
from controlplane.sources.reader import Parsed, date, parse_bytes
from controlplane.sources.source import Reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from controlplane.model.schema import Schema

SUFFIXES: Final = (".yaml", ".yml")
POLL_SECONDS: Final = 0.05
REST_SECONDS: Final = 0.02
EMPTIED_SECONDS: Final = 1.0


class _Signature(NamedTuple):
    """What tells one content of a file from another, and from one that may not be read."""

    inode: int = 0
    size: int = 0
    changed_ns: int = 0


@dataclass(frozen=True, slots=True)
class _Scan:
    """Signatures by file name, sorted; of before, with why, if the directory could not be read."""

    files: Mapping[str, _Signature]
    failure: str = ""

    def emptied_since(self, known: _Scan) -> bool:
        """Whether a file that had something in it has nothing now."""
        return any(
            signature.size == 0 and name in known.files and known.files[name].size > 0
            for name, signature in self.files.items()
        )


class DirectorySource:
    """Every `*.yaml` file of one directory, each a unit."""

    def __init__(self, directory: Path, schema: Schema) -> None:
        self._directory = directory
        self._schema = schema

    @property
    def name(self) -> str:
        """The directory, as it was given."""
        return str(self._directory)

    async def watch(self) -> AsyncIterator[Reading]:
        """All files, and then those that changed."""
        known = _Scan({})
        position = 0
        while True:
            scan = await self._scan(known)
            if scan != known or position == 0:
                if position:
                    scan = await self._rest(known, scan)
                units = await asyncio.to_thread(self._read, known, scan)
                if units or position == 0:
                    position += 1
                    yield Reading(source=self.name, units=units, position=position)
                known = scan
            await asyncio.sleep(POLL_SECONDS)

    async def _rest(self, known: _Scan, scan: _Scan) -> _Scan:
        """What is there once nothing has changed for a while."""
        loop = asyncio.get_running_loop()
        rested_at = loop.time()
        while True:
            await asyncio.sleep(REST_SECONDS)
            later = await self._scan(known)
            if later != scan:
                scan, rested_at = later, loop.time()
            elif not scan.emptied_since(known) or loop.time() - rested_at >= EMPTIED_SECONDS:
                return scan

    async def _scan(self, known: _Scan) -> _Scan:
        return await asyncio.to_thread(_scan, self._directory, known)

    def _read(self, known: _Scan, scan: _Scan) -> dict[str, Parsed | None]:
        """The units that changed; a directory that cannot be read is a unit of its own, of problems only."""
        if scan.failure:
            problem = Problem(file=self.name, message=scan.failure)
            return {self.name: Parsed(problems=(problem,))}
        units: dict[str, Parsed | None] = {self.name: None} if known.failure else {}
        for name in known.files.keys() - scan.files.keys():
            units[str(self._directory / name)] = None
        for name, signature in scan.files.items():
            if known.files.get(name) != signature:
                path = self._directory / name
                units[str(path)] = _parse_file(path, self._schema)
        return units


def _scan(directory: Path, known: _Scan) -> _Scan:
    try:
        with os.scandir(directory) as entries:
            files = sorted((entry.name, entry) for entry in entries if is_policy_file(entry.name))
    except OSError as error:
        return _Scan(known.files, f"cannot be read: {error.strerror}")
    return _Scan({name: signature for name, entry in files if (signature := _sign(entry))})


def is_policy_file(name: str) -> bool:
    """Whether a file of that name in a directory holds policies."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _sign(entry: os.DirEntry[str]) -> _Signature | None:
    """The signature of a file, or `None` if it went away or is no file."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return _Signature()  # there, and in nobody's reach for now
    if not stat.S_ISREG(status.st_mode):
        return None
    return _Signature(status.st_ino, status.st_size, status.st_ctime_ns)


def _parse_file(path: Path, schema: Schema) -> Parsed:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
            written_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
    except OSError as error:
        problem = Problem(file=str(path), message=f"cannot be read: {error.strerror}")
        return Parsed(problems=(problem,))
    return date(parse_bytes(content, str(path), schema), written_at)
