"""What the pages of the policies say beside their examples: pictures, and the table of the books' names."""

import re
from pathlib import Path

import pytest

from controlplane.model.text import field_at
from tests.support import diagrams, reference
from tests.support.builders import SCHEMA

NAMES = (reference.PAGE.parent / "names.md").read_text(encoding="utf-8")
FIELDS = [
    (kind, field)
    for kind, fields in re.findall(r"^\|[^|]+\| \[(\w+)\]\([a-z-]+\.md\) \| (.+) \|$", NAMES, re.MULTILINE)
    for field in re.findall(r"`([^`]+)`", fields)
]
METRICS = re.findall(r"\| `(breakwater_\w+)` \|$", NAMES, re.MULTILINE)
FAMILIES = reference.ROOT / "sidecar/core/proxy/src/census"


@pytest.mark.parametrize("page", diagrams.pages(), ids=lambda page: page.stem)
def test_the_pictures_of_a_page_are_current(page: Path) -> None:
    text = diagrams.pages()[page]
    assert text == diagrams.drawn(text), "see `make docs`"


def test_every_picture_has_its_place() -> None:
    assert {name for text in diagrams.pages().values() for name in re.findall(r"<!-- (\w+): ", text)} == (
        diagrams.DIAGRAMS.keys()
    )


@pytest.mark.parametrize(("kind", "said"), FIELDS)
def test_every_field_of_the_books_names_is_in_the_contract(kind: str, said: str) -> None:
    path, _, word = said.partition(": ")
    field = field_at(SCHEMA.kinds[kind].spec, path)
    assert not word or word in field.words


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_the_books_names_is_counted(metric: str) -> None:
    sources = (path.read_text(encoding="utf-8") for path in FAMILIES.rglob("*.rs"))
    assert any(f'"{metric}"' in source for source in sources)


def test_the_books_names_are_read_whole() -> None:
    rows = [line for line in NAMES.splitlines() if line.startswith("| ") and "In the books" not in line]
    assert len({field for _, field in FIELDS}) >= len(rows) - len(METRICS)
    assert len(METRICS) == 5
