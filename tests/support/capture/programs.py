"""Programs that change rules of the kernel: those of the system, or Debian's, fetched once into the cache."""

import os
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from tests.support.cached import build_once
from tests.support.debian import unpacked

NFTABLES = ("nft",)
IPTABLES = tuple(f"{name}{part}" for name in ("iptables", "ip6tables") for part in ("", "-restore", "-save"))
LIBRARIES = (
    "libedit2",
    "libbsd0",
    "libgmp10",
    "libjansson4",
    "libmd0",
    "libmnl0",
    "libnftables1",
    "libnftnl11",
)
SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def place(folder: Path, names: Iterable[str]) -> Path:
    """Return `folder` with each of these programs in it.

    Raises:
        subprocess.CalledProcessError: One is not there, and Debian's package could not be fetched.
    """
    for name in names:
        (folder / name).symlink_to(program(name))
    return folder


def program(name: str) -> Path:
    """Return one of these programs.

    Raises:
        subprocess.CalledProcessError: It is not there, and Debian's package could not be fetched.
    """
    if found := shutil.which(name, path=SYSTEM):
        return Path(found)
    return build_once(f"program-{name}", (Path(__file__),), partial(_wrap, name)) / name


def _wrap(name: str, home: Path) -> None:
    """Write a script that starts the unpacked program with the libraries that came for it."""
    if name in NFTABLES:
        command = str(unpacked("nftables") / "usr/sbin/nft")
    else:
        command = f"{unpacked('iptables') / 'usr/sbin/xtables-nft-multi'} {name}"
    folders = [unpacked(package) for package in LIBRARIES]
    places = [str(each) for folder in folders for each in folder.glob("*lib/*-linux-gnu")]
    places += [str(each) for folder in folders for each in folder.glob("usr/lib/*-linux-gnu")]
    [extensions, *_] = unpacked("iptables").glob("usr/lib/*/xtables")
    home.mkdir(parents=True)
    file = home / name
    file.write_text(
        f"#!/bin/sh\nexport LD_LIBRARY_PATH={':'.join(places)} XTABLES_LIBDIR={extensions}\n"
        f'exec {command} "$@"\n'
    )
    file.chmod(0o755)
