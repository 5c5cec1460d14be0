"""What one decision of each pure machine costs: a program of ours times them in loops."""

import json
import subprocess

from tests.bench.figures import Decision
from tests.bench.site import DECISIONS_PROGRAM


def time_decisions() -> tuple[Decision, ...]:
    """Return the cost of each decision, in the program's order.

    Raises:
        subprocess.CalledProcessError: The program failed.
    """
    lines = subprocess.run([DECISIONS_PROGRAM, "--json"], check=True, capture_output=True, text=True).stdout
    return tuple(parse(line) for line in lines.splitlines())


def parse(line: str) -> Decision:
    """Return the decision that the program reports in one line of JSON."""
    return Decision(**json.loads(line))
