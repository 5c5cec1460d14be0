"""Clocks that go wrong: Debian's libfaketime, which moves the wall clock of a process and nothing else."""

from collections.abc import Mapping

from tests.support.debian import unpacked


def clock_moved_by(seconds: int) -> Mapping[str, str]:
    """Return the environment of a process whose wall clock is so far ahead, or behind when negative."""
    [library] = unpacked("libfaketime").glob("usr/lib/*/faketime/libfaketime.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds:+d}s",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
