"""The judge of histories accepts what a store may do, and nothing else."""

from typing import Any

import pytest

from tests.support.linearizable import History

VALUE = {"value": "1", "revision": 0}


def write(start: int, end: int, *, outcome: str = "done", revision: int = 0) -> dict[str, Any]:
    return {
        "client": 1,
        "start": start,
        "end": end,
        "write": {"a": VALUE},
        "outcome": outcome,
        "revision": revision,
    }


def read(start: int, end: int, revision: int | None = None) -> dict[str, Any]:
    found = {} if revision is None else {"a": {"value": "1", "revision": revision}}
    return {"client": 2, "start": start, "end": end, "read": ["a"], "outcome": "done", "found": found}


@pytest.mark.parametrize(
    ("history", "is_linearizable"),
    [
        ([write(0, 1, revision=5), read(2, 3, 5)], True),
        ([write(0, 1, revision=5), read(2, 3)], False),
        ([write(0, 3, revision=5), read(1, 2)], True),
        ([write(0, 1, revision=5), read(2, 3, 6)], False),
        ([write(0, 1, outcome="unknown"), read(2, 3), read(4, 5, 7), read(6, 7, 7)], True),
        ([write(0, 1, outcome="unknown"), read(2, 3, 7), read(4, 5)], False),
        ([write(0, 1, outcome="unknown"), read(2, 3, 7), read(4, 5, 8)], False),
        ([write(0, 1, revision=5), write(2, 3, revision=4)], False),
    ],
)
async def test_judge_tells_a_possible_history_from_an_impossible_one(
    history: list[dict[str, Any]], *, is_linearizable: bool
) -> None:
    assert await History(history).is_linearizable() is is_linearizable
