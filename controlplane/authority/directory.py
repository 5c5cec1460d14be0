"""Keeps the roots of one control plane in files."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

from controlplane.errors import AuthorityError
from controlplane.keep import BUNDLE, ROOTS, Kept

_SECRET, _PUBLIC = 0o600, 0o644


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
        """Writes the public half beside it, unless it is there."""
        if await asyncio.to_thread(self._read_bundle) != bundle:
            await asyncio.to_thread(self._write, BUNDLE, bundle, _PUBLIC)

    def _read_bundle(self) -> bytes:
        file = self._directory / BUNDLE
        return file.read_bytes() if file.exists() else b""

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
