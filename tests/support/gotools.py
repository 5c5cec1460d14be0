"""Go programs that tests run, built once per version; `python -m tests.support.gotools etcd` builds a set.

Each set is a Go module of its own in a folder beside this file, its versions pinned by its `go.sum`. A set
may also have files of a module that it requires, such as definitions for an API server. What is built lands
outside the tree, in a folder named by the hash of both module files and of the module's own code.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.support.cached import build_once

HERE = Path(__file__).parent
GO_VERSION = re.compile(r"^(?:go )?(?:go)?(\d+)\.(\d+)", re.MULTILINE)


class GoToolsError(Exception):
    """The programs cannot be built here; the message says what to install, or what the compiler said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSet:
    """One Go module: its folder, packages to build by the names of their programs, values to link in.

    `files` are taken out of the module `source`, by the names that they get.
    """

    folder: str
    minutes: str
    programs: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


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
KUBE = ToolSet(
    folder="kube",
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kubectl")
    },
    minutes="five to ten minutes",
    values={  # clients that parse the version refuse the one of an unreleased build
        "k8s.io/component-base/version.gitVersion": "v1.36.3",
        "k8s.io/component-base/version.gitMajor": "1",
        "k8s.io/component-base/version.gitMinor": "36",
    },
)
HELM = ToolSet(folder="helm", programs={"helm": "helm.sh/helm/v4/cmd/helm"}, minutes="two or three minutes")
GATEWAY = ToolSet(
    folder="gateway",
    minutes="a few seconds",
    source="sigs.k8s.io/gateway-api",
    files={
        f"{plural}.yaml": f"config/crd/standard/gateway.networking.k8s.io_{plural}.yaml"
        for plural in ("httproutes", "grpcroutes", "referencegrants")
    },
)
SETS = {tools.folder: tools for tools in (ETCD, PORCUPINE, KUBE, HELM, GATEWAY)}


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
    sys.stderr.write(f"building {', '.join((*tools.programs, *tools.files))}: {tools.minutes}, once\n")
    link = " ".join(("-s -w", *(f"-X {name}={value}" for name, value in tools.values.items())))
    for name, package in tools.programs.items():
        _go(module, "build", "-trimpath", f"-ldflags={link}", "-o", str(home / name), package)

    if tools.files:
        _copy(tools, module, home)


def _copy(tools: ToolSet, module: Path, home: Path) -> None:
    """Take files out of a module, which is downloaded whole."""
    source = Path(json.loads(_go(module, "mod", "download", "-json", tools.source))["Dir"])
    home.mkdir(parents=True, exist_ok=True)
    for name, path in tools.files.items():
        shutil.copyfile(source / path, home / name)


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
        ("nice", "go", *words), cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise GoToolsError(f"go {' '.join(words)} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def main() -> int:
    """Return 0 once the named sets are built, or 1 after saying why one is not."""
    try:
        for folder in sys.argv[1:]:
            built(SETS[folder])
    except GoToolsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
