"""resilience4j's breaker in a process of its own, built once and driven line by line."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sidecar.machines.breaker import BreakerParams, CountWindow, Probes
from sidecar.machines.units import MILLISECOND_NS
from tests.support.cached import build_once

_SOURCE = Path(__file__).parent / "resilience4j"


class Standing(NamedTuple):
    """Where the breaker stands: its state in resilience4j's words, and what is in its window."""

    state: str
    calls: int
    failures: int
    slow: int


class Oracle:
    """One breaker at a time; `standing` is as of the last command."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.standing = Standing("CLOSED", 0, 0, 0)

    def start(self, params: BreakerParams) -> None:
        """Begins anew, closed, at the instant zero."""
        assert isinstance(params.trial, Probes)
        window = params.window
        kind, size = ("COUNT", window.size) if isinstance(window, CountWindow) else ("TIME", 10)
        times = (
            params.open_base_ns // MILLISECOND_NS,
            params.open_multiplier,
            params.open_max_ns // MILLISECOND_NS,
        )
        self._tell(
            "new",
            f"{kind}_BASED",
            size,
            params.minimum_requests,
            params.error_rate,
            params.slow_rate,
            params.slow_after_ns,
            *times,
            params.trial.probes,
        )

    def at(self, now_ns: int) -> None:
        """Sets its clock."""
        self._tell("at", now_ns // MILLISECOND_NS)

    def admit(self) -> bool:
        """Whether a call may go through."""
        return self._tell("admit")

    def end(self, *, failed: bool, latency_ns: int) -> None:
        """A call has ended."""
        self._tell("failure" if failed else "success", latency_ns)

    def release(self) -> None:
        """A call was given up."""
        self._tell("release")

    def force(self, how: str) -> None:
        """A person's decision: open, closed or disabled."""
        self._tell("force", how)

    def lift(self) -> None:
        """The end of that."""
        self._tell("lift")

    def _tell(self, *words: object) -> bool:
        assert self._process.stdin
        assert self._process.stdout
        print(*words, file=self._process.stdin, flush=True)
        answer, state, *counts = self._process.stdout.readline().split()
        self.standing = Standing(state, *map(int, counts))
        return answer == "yes"


@contextmanager
def running_oracle() -> Iterator[Oracle]:
    """The oracle, until the block ends."""
    built = build_once(
        "breaker-oracle", (path for path in _SOURCE.rglob("*") if path.suffix in {".xml", ".java"}), _build
    )
    argv = ["java", "-cp", f"{built}/breaker-oracle-1.jar:{built}/dependency/*", "BreakerOracle"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield Oracle(process)
        finally:
            process.terminate()


def _build(target: Path) -> None:
    argv = ["mvn", "--quiet", "--batch-mode", "--file", str(_SOURCE), f"-Dbuilt={target}", "package"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}"
