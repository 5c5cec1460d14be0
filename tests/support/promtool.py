"""promtool, which judges rules of Prometheus: the one on PATH, or Debian's."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.support.debian import unpacked


@cache
def promtool() -> Path:
    """Return its path.

    Raises:
        subprocess.CalledProcessError: It is not there, and Debian's package could not be fetched.
    """
    found = shutil.which("promtool")
    return Path(found) if found else unpacked("prometheus") / "usr/bin/promtool"


def judge(*words: str | Path) -> str:
    """Return what promtool says.

    Raises:
        AssertionError: Something is wrong with the rules, or not as a test expects it.
    """
    done = subprocess.run((promtool(), *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
