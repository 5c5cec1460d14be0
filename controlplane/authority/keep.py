"""Where roots are kept, and where the public half of them is published."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from controlplane.errors import AuthorityError

ROOTS: Final = "authority.pem"
BUNDLE: Final = "ca.crt"
_SECRET, _PUBLIC = 0o600, 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Roots with their keys as they are kept, and the version that a change of them must name."""

    text: bytes = field(repr=False)
    version: str


class Keep(Protocol):
    """Keeps roots, for every replica of a control plane alike."""

    async def load(self) -> Kept | None:
        """What is kept, or `None`.

        Raises:
            AuthorityError: it cannot be read.
        """

    async def save(self, text: bytes, version: str) -> bool:
        """Keeps `text` in place of what has `version`; false if somebody else has changed that.

        An empty version stands for nothing.

        Raises:
            AuthorityError: it cannot be kept.
        """

    async def publish(self, bundle: bytes) -> None:
        """Lets everybody know whom to trust.

        Raises:
            AuthorityError: it cannot be published.
        """


class DirectoryKeep:
    """Files in one directory, of one control plane: the roots are for its user alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def load(self) -> Kept | None:
        """What the file holds, or `None`."""
        try:
            text = await asyncio.to_thread((self._directory / ROOTS).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuthorityError(f"cannot read {self._directory / ROOTS}: {error.strerror}") from error
        return Kept(text=text, version=hashlib.sha256(text).hexdigest())

    async def save(self, text: bytes, version: str) -> bool:
        """Writes the file, unless it is another by now."""
        kept = await self.load()
        if (kept.version if kept else "") != version:
            return False
        await asyncio.to_thread(self._write, ROOTS, text, _SECRET)
        return True

    async def publish(self, bundle: bytes) -> None:
        """Writes the public half beside it."""
        await asyncio.to_thread(self._write, BUNDLE, bundle, _PUBLIC)

    def _write(self, name: str, content: bytes, mode: int) -> None:
        """Replaces a file whole; nobody else may read it before it has its mode."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).chmod(mode)
            Path(file.name).replace(self._directory / name)
        except OSError as error:
            raise AuthorityError(f"cannot write {self._directory / name}: {error.strerror}") from error
