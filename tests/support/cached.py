"""What tests need built, built once per version and kept outside the tree."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def build_once(name: str, inputs: Iterable[Path], build: Callable[[Path], None]) -> Path:
    """The folder that `build` filled for these inputs, after filling it if it never was.

    `build` gets an empty folder to be; builders that come at the same time wait for the first.
    """
    home = _cache() / "tools" / f"{name}-{_hash(inputs)}"
    with _alone(home.with_suffix(".lock")):
        if not home.exists():
            draft = home.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            build(draft)
            draft.rename(home)
    return home


def _cache() -> Path:
    """Where builds are kept: BREAKWATER_CACHE, or the user's cache directory."""
    return Path(os.environ.get("BREAKWATER_CACHE") or "~/.cache/breakwater").expanduser()


def _hash(inputs: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(inputs))).hexdigest()[:16]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
