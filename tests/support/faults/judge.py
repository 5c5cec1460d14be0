"""What a fault test expected beside what it measured, and the table of all of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

WIDTH = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One line of the table."""

    fault: str
    expected: str
    measured: str
    held: bool
    is_judged: bool = True

    @property
    def mark(self) -> str:
        """Whether it held, at a glance."""
        return ("√" if self.held else "×") if self.is_judged else "·"  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Judge:
    """Collects the expectations of one fault; a test ends with `verdict`."""

    fault: str
    lines: list[Expectation] = field(default_factory=list)

    def expect(self, expected: str, measured: object, *, held: bool) -> None:
        """Add a line."""
        line = Expectation(fault=self.fault, expected=expected, measured=str(measured), held=held)
        self.lines.append(line)

    def at_most(self, what: str, measured: float, limit: float, unit: str = "s") -> None:
        """Add the line that a figure does not exceed its limit."""
        self.expect(f"{what} <= {limit:g} {unit}", f"{measured:.3g} {unit}", held=measured <= limit)

    def note(self, what: str, measured: object) -> None:
        """Add a line that says what was seen, and is not judged."""
        line = Expectation(
            fault=self.fault, expected=what, measured=str(measured), held=True, is_judged=False
        )
        self.lines.append(line)

    def verdict(self) -> None:
        """Fail the test with every line that did not hold.

        Raises:
            AssertionError: There is one, or there is no line at all.
        """
        broken = [f"{line.expected}: {line.measured}" for line in self.lines if not line.held]
        if broken or not self.lines:
            raise AssertionError(f"{self.fault}: {'; '.join(broken) or 'nothing was judged'}")


def render(lines: Sequence[Expectation]) -> str:
    """Return the table as text."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "FAULT", "EXPECTED", "MEASURED"):
        table.add_column(column)
    for line in lines:
        table.add_row(line.mark, line.fault, line.expected, line.measured)
    console = Console(width=WIDTH, no_color=True)
    with console.capture() as captured:
        console.print(table)
    judged = [line for line in lines if line.is_judged]
    return f"{captured.get()}{sum(line.held for line in judged)} of {len(judged)} held"


def save(lines: Sequence[Expectation], path: Path) -> None:
    """Write the table as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(line) for line in lines], indent=2) + "\n")
