"""Policies in, snapshot out."""

from pathlib import Path

import pytest

from tests.support.golden import build, cases


@pytest.mark.parametrize("policies", cases(), ids=lambda path: path.stem)
def test_the_snapshot_is_the_one_that_was_reviewed(policies: Path) -> None:
    assert build(policies) == policies.with_suffix(".txt").read_text(encoding="utf-8"), "see `make golden`"
