"""What a process holds: descriptors, threads and memory, as the kernel counts them."""

import os
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20
ESTABLISHED = "01"  # as /proc/net/tcp has it
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What one process held at one instant, but for its memory."""

    descriptors: int
    threads: int


def holdings(pid: int) -> Holdings:
    """Return what a process holds now."""
    process = Path(f"/proc/{pid}")
    return Holdings(
        descriptors=len(list((process / "fd").iterdir())), threads=len(list((process / "task").iterdir()))
    )


def resident_mib(pid: int) -> float:
    """Return its resident memory, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that it has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def connections_to(ports: set[int]) -> int:
    """Return how many connections to these ports are established, as their clients have them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    remotes = (fields[2] for fields in map(str.split, lines) if fields[3] == ESTABLISHED)
    return sum(int(remote.partition(":")[2], 16) in ports for remote in remotes)
