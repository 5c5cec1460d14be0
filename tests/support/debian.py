"""Programs of Debian packages: unpacked into the cache, never installed."""

import os
import subprocess
from functools import partial
from pathlib import Path

from tests.support.cached import build_once


def unpacked(package: str) -> Path:
    """Return the folder with the files of a package, fetched once.

    Raises:
        subprocess.CalledProcessError: It could not be fetched.
    """
    return build_once(f"debian-{package}", (Path(__file__),), partial(_fetch, package))


def _fetch(package: str, home: Path) -> None:
    home.mkdir(parents=True)
    as_root = () if os.geteuid() == 0 else ("sudo",)
    try:
        _run(home, "apt-get", "download", package)
    except subprocess.CalledProcessError:
        _run(home, *as_root, "apt-get", "update", "-qq")
        _run(home, "apt-get", "download", package)
    [archive] = home.glob("*.deb")
    _run(home, "dpkg-deb", "--extract", str(archive), ".")
    archive.unlink()


def _run(home: Path, *command: str) -> None:
    subprocess.run(command, cwd=home, check=True, capture_output=True)
