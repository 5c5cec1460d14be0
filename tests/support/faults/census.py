"""What a process holds: descriptors, memory and connections, as the kernel counts them."""

import os
from pathlib import Path

MEBIBYTE = 1 << 20
ESTABLISHED = "01"  # as /proc/net/tcp has it
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """Return how many descriptors a process holds."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


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
