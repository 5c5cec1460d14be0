"""The values of the chart with their comments: `# --` begins what a value is for, `# @` says what it may be.

`@enum A, B` lists its words, `@items TYPE` what a list holds, `@minimum N` the least number, and `@free` a
map whose names are Kubernetes' own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z][A-Za-z0-9]*):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value: its path, its default, what it is for, and what is said of what it may be."""

    path: tuple[str, ...]
    default: Any
    text: str
    hints: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is written with `--set`."""
        return ".".join(self.path)


def read_settings(path: Path) -> tuple[Setting, ...]:
    """Return every value that has a comment, in the order written."""
    text = path.read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    return tuple(_setting(where, comment, defaults) for where, comment in _commented(text))


def _setting(path: tuple[str, ...], comment: list[str], defaults: Any) -> Setting:
    hints = dict(_hint(line) for line in comment if line.startswith("@"))
    text = " ".join(line for line in comment if not line.startswith("@"))
    for name in path:
        defaults = defaults[name]
    return Setting(path=path, default=defaults, text=text, hints=hints)


def _hint(line: str) -> tuple[str, str]:
    name, _, value = line.removeprefix("@").partition(" ")
    return name, value


def _commented(text: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    place: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# --"):
            comment = [stripped.removeprefix("# --").strip()]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.removeprefix("#").strip())
        elif found := _KEY.match(line):
            indent = len(found["indent"])
            place = [*((at, name) for at, name in place if at < indent), (indent, found["name"])]
            if comment:
                yield tuple(name for _, name in place), comment
            comment = []
        else:
            comment = []
