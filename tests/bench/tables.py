"""Tables of plain text, and the way they reach whoever waits."""

import sys
from collections.abc import Iterable, Sequence

from tests.bench.aims import Goal


def say(text: str) -> None:
    """Print a text at once, so that whoever waits sees how far the bench is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def goal_table(goals: Sequence[Goal]) -> str:
    """Return each goal with what it asks for and what was measured."""
    header = ("goal", "what", "must", "stretch", "measured", "unit", "met", "why not")
    return table("Goals", header, (_goal_row(goal) for goal in goals))


def table(title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows under their header, each column as wide as it must be."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = (
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) for cells in lines
    )
    return "\n".join([title, *(text.rstrip() for text in shown)])


def _goal_row(goal: Goal) -> tuple[str, ...]:
    value, met = goal["value"], goal["met"]
    return (
        goal["goal"],
        goal["name"],
        _number(goal["must"]),
        _number(goal["stretch"]),
        "-" if value is None else f"{value:.2f}",
        goal["unit"],
        "" if met is None else ("yes" if met else "no"),
        goal.get("reason", ""),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
