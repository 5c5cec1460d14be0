"""promtool, which judges rules of Prometheus: the one on PATH, or Debian's, fetched once into the cache."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.support.cached import build_once

PACKAGE = "prometheus"


@cache
def promtool() -> Path:
    """Return its path.

    Raises:
        subprocess.CalledProcessError: It is not there, and Debian's package could not be fetched.
    """
    found = shutil.which("promtool")
    return Path(found) if found else build_once("promtool", (Path(__file__),), _fetch) / "usr/bin/promtool"


def judge(*words: str | Path) -> str:
    """Return what promtool says.

    Raises:
        AssertionError: Something is wrong with the rules, or not as a test expects it.
    """
    done = subprocess.run((promtool(), *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def _fetch(home: Path) -> None:
    """Unpack the package into a folder; nothing is installed."""
    home.mkdir(parents=True)
    as_root = () if os.geteuid() == 0 else ("sudo",)
    try:
        _run(home, "apt-get", "download", PACKAGE)
    except subprocess.CalledProcessError:
        _run(home, *as_root, "apt-get", "update", "-qq")
        _run(home, "apt-get", "download", PACKAGE)
    [package] = home.glob("*.deb")
    _run(home, "dpkg-deb", "--extract", str(package), ".")
    package.unlink()


def _run(home: Path, *command: str) -> None:
    subprocess.run(command, cwd=home, check=True, capture_output=True)
