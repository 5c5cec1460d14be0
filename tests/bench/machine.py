"""What the kernel says a process cost, and how much of the machine others used meanwhile.

CPU time comes from the per-process CPU clock: nanoseconds, all threads, and on loopback with the work of
the soft interrupts that a send causes, because the kernel charges that to the sender.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU that a process has used since it began; the ticks are sampled and serve only for the split."""

    cpu_ns: int
    user_ticks: int
    kernel_ticks: int

    def since(self, earlier: "Usage") -> "Usage":
        """Return what was used between `earlier` and now."""
        return Usage(
            cpu_ns=self.cpu_ns - earlier.cpu_ns,
            user_ticks=self.user_ticks - earlier.user_ticks,
            kernel_ticks=self.kernel_ticks - earlier.kernel_ticks,
        )

    @property
    def user_share(self) -> float:
        """The part of the time spent outside the kernel, 0 to 1."""
        return self.user_ticks / max(1, self.user_ticks + self.kernel_ticks)


def usage(pid: int) -> Usage:
    """Return the CPU that a running process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage(cpu_ns=_cpu_ns(pid), user_ticks=int(fields[11]), kernel_ticks=int(fields[12]))


def resident_kib(pid: int) -> int:
    """Return the resident memory of a running process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1])
    raise ValueError(f"no Rss line for process {pid}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupation:
    """All CPU used on this machine, and the part of it that is ours, in seconds since their beginnings."""

    everybody: float
    ours: float

    def foreign_since(self, earlier: "Occupation") -> float:
        """Return the CPU seconds that others used between `earlier` and now."""
        return max(0.0, (self.everybody - earlier.everybody) - (self.ours - earlier.ours))


def occupation(pids: Sequence[int]) -> Occupation:
    """Return how busy the machine has been, counting `pids`, this process and its ended children as ours."""
    own = sum(os.times()[:4]) + sum(_cpu_ns(pid) for pid in pids) / 1e9
    return Occupation(everybody=_busy_ticks(Path("/proc/stat").read_text()) / TICKS_PER_SECOND, ours=own)


def _busy_ticks(stat: str) -> int:
    """Return user, nice, system and soft and hard interrupt time of all cores."""
    total = next(line for line in stat.splitlines() if line.startswith("cpu ")).split()
    return sum(int(total[field]) for field in (1, 2, 3, 6, 7))


def _cpu_ns(pid: int) -> int:
    """Read another process's POSIX CPU clock, whose id the kernel makes from the process id."""
    return time.clock_gettime_ns((~pid << 3) | 2)
