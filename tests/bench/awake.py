"""Keeps cores from halting while something is measured that rests in between.

A virtual core that has halted takes long to come back, and the CPU clock of whoever wakes it counts that: a
push to 1,000 sidecars after a second of rest cost 170 us a sidecar, and beside a spinner 105. Who spins has
the lowest priority, so that it gets what nobody else wants.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from tests.bench.site import pinned

_SPIN = "while True: pass"
_LOWEST = ("nice", "-n", "19")


@contextmanager
def awake(cores: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """Spin on every core until the block ends; yields the process ids of who does it."""
    with ExitStack() as spinners:
        yield tuple(spinners.enter_context(_spinning(core)) for core in cores)


@contextmanager
def _spinning(core: int) -> Iterator[int]:
    with subprocess.Popen((*pinned(core), *_LOWEST, sys.executable, "-c", _SPIN)) as spinner:
        try:
            yield spinner.pid
        finally:
            spinner.kill()
