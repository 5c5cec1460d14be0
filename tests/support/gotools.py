"""Go programs that tests run, built once per version: `python -m tests.support.gotools` builds all of them.

Each set is a Go module of its own in a folder beside this file, its versions pinned by its `go.sum`. What is
built lands outside the tree, in a folder named by the hash of both module files and of the module's own code.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.cached import build_once

HERE = Path(__file__).parent
GO_VERSION = re.compile(r"^(?:go )?(?:go)?(\d+)\.(\d+)", re.MULTILINE)


class GoToolsError(Exception):
    """The programs cannot be built here; the message says what to install, or what the compiler said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSet:
    """One Go module: its folder, and the packages to build by the names of their programs."""

    folder: str
    programs: Mapping[str, str]
    minutes: str


ETCD = ToolSet(
    folder="etcd",
    programs={
        "etcd": "go.etcd.io/etcd/server/v3",
        "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
        "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
    },
    minutes="a minute or two",
)
PORCUPINE = ToolSet(folder="porcupine", programs={"porcupine": "."}, minutes="a few seconds")
SETS = (ETCD, PORCUPINE)


def built(tools: ToolSet) -> Path:
    """Return the folder with the programs of a set, after building them when this version was never built.

    Builders that come at the same time wait for the first.

    Raises:
        GoToolsError: Go is missing, too old, or refused to build.
    """
    module = HERE / tools.folder
    inputs = (module / "go.mod", module / "go.sum", *module.glob("*.go"))
    return build_once(tools.folder, inputs, partial(_build, tools, module))


def _build(tools: ToolSet, module: Path, home: Path) -> None:
    _check_go(module)
    sys.stderr.write(f"building {', '.join(tools.programs)}: {tools.minutes}, once\n")
    for name, package in tools.programs.items():
        _go(module, "build", "-trimpath", "-ldflags=-s -w", "-o", str(home / name), package)


def _check_go(module: Path) -> None:
    wanted = _version((module / "go.mod").read_text())
    needed = f"these tests need Go {wanted[0]}.{wanted[1]} or newer to build {module.name}"
    if shutil.which("go") is None:
        raise GoToolsError(f"{needed}; install it so that `go` is on PATH (a distribution's may be too old)")
    found = _go(module.parent, "env", "GOVERSION").strip()
    if _version(found) < wanted:
        raise GoToolsError(f"{needed}; found {found}")


def _version(text: str) -> tuple[int, int]:
    found = GO_VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _go(directory: Path, *words: str) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(
        ("go", *words), cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise GoToolsError(f"go {' '.join(words)} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def main() -> int:
    """Return 0 once every set is built, or 1 after saying why one is not."""
    try:
        for tools in SETS:
            built(tools)
    except GoToolsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
