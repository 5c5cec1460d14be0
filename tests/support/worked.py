"""The worked example of a page: documents, and a session in which they are seen to act.

The section `Worked example` holds documents in blocks of YAML, and blocks of `console`. There a line that
begins with `# ` says what the application does or saw, one that begins with `$ ` is a command, and what
follows is what it prints; a value that ends in `...` is given as far as it goes.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.documents import Document

TITLE = "## Worked example\n"
_PART = re.compile(r"```(yaml|console)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Said:
    """What the application does from now on, or saw so far."""

    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and the lines that it prints; in the background nobody waits for them."""

    words: tuple[str, ...]
    printed: tuple[str, ...]
    is_in_background: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: its documents, and what is said and done, in this order."""

    documents: tuple[Document, ...]
    session: tuple[Said | Command, ...]


def read(page: Path) -> Example:
    """Return the worked example of a page.

    Raises:
        ValueError: It has none.
    """
    _, found, rest = page.read_text(encoding="utf-8").partition(TITLE)
    if not found:
        raise ValueError(f"expected a section {TITLE!r} in {page.name}")
    parts = _PART.findall(rest.split("\n## ")[0])
    documents = [one for kind, text in parts if kind == "yaml" for one in yaml.safe_load_all(text)]
    session = [step for kind, text in parts if kind == "console" for step in _steps(text)]
    return Example(tuple(documents), tuple(session))


def _steps(text: str) -> Iterator[Said | Command]:
    for step in re.split(r"^(?=[#$] )", text, flags=re.MULTILINE):
        first, *printed = step.splitlines() or [""]
        if first.startswith("# "):
            yield Said(first.removeprefix("# "))
        elif first:
            words = shlex.split(first.removeprefix("$ "))
            in_background = words[-1] == "&"
            yield Command(tuple(words[:-1] if in_background else words), tuple(printed), in_background)


def is_as_printed(line: str, found: str) -> bool:
    """Whether something is what a line says, as far as that goes."""
    return found.startswith(line.removesuffix("...")) if line.endswith("...") else line == found
