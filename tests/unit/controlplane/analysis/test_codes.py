"""Every code is documented, and some example provokes it."""

import re
from pathlib import Path

import pytest

from controlplane.model.codes import Code
from tests.unit.controlplane.analysis.examples import EXAMPLES

PAGE = Path(__file__).parents[4] / "docs" / "analyze.md"


@pytest.mark.parametrize("code", Code, ids=lambda code: code.number)
def test_a_code_is_documented(code: Code) -> None:
    row = f"| `{code.number}` | {code.level.value} | {code.title} | {code.hint} |"
    assert row in PAGE.read_text(encoding="utf-8").splitlines()


def test_no_other_code_is_documented() -> None:
    numbers = re.findall(r"^\| `(BW\d{4})` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert numbers == [code.number for code in Code]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("code", Code, ids=lambda code: code.number)
def test_a_code_is_provoked_by_its_example(code: Code) -> None:
    found = EXAMPLES[code]()
    assert code in {problem.code for problem in found}, list(map(str, found))
