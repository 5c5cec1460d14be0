"""Targets are interleaved, and runs of one round compared with each other only."""

import pytest

from tests.bench.figures import Spread, cpu, paired_ratios, spread
from tests.bench.rounds import Plan
from tests.support.bench import run


def test_every_other_round_goes_backwards() -> None:
    plan = Plan(targets=("direct", "floor", "haproxy"), rounds=2)
    assert [target for _, target in plan.steps()] == [
        "direct",
        "floor",
        "haproxy",
        "haproxy",
        "floor",
        "direct",
    ]
    assert [number for number, _ in plan.steps()] == [0, 0, 0, 1, 1, 1]


def test_ratios_pair_runs_of_the_same_round() -> None:
    ours = [run(round=1, cpu_us=10), run(round=0, cpu_us=12)]
    theirs = [run(round=0, cpu_us=24), run(round=1, cpu_us=40)]
    assert paired_ratios(ours, theirs, cpu) == (0.25, 0.5)


def test_a_round_that_only_one_side_has_gives_no_ratio() -> None:
    assert paired_ratios([run(round=0, cpu_us=10)], [run(round=1, cpu_us=10)], cpu) == ()


def test_a_target_without_a_proxy_has_no_ratio() -> None:
    assert paired_ratios([run(round=0, cpu_us=None)], [run(round=0, cpu_us=10)], cpu) == ()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, None, 1.0, 2.0], Spread(median=2.0, low=1.0, high=3.0)),
        ([None], None),
        ([], None),
    ],
)
def test_spread_leaves_out_what_was_not_measured(values: list[float | None], expected: Spread | None) -> None:
    assert spread(values) == expected
