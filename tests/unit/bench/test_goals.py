"""Every goal of the data plane is judged, or says why it is not."""

from tests.bench.aims import Goal
from tests.bench.figures import Memory, Results
from tests.bench.goals import judge, saturation_ratio
from tests.bench.loops import parse
from tests.bench.targets import BASE, FLOOR, OURS, RIVAL
from tests.support.bench import run

NOTHING = Results(runs=(), memory=())
WHOLE = Results(
    runs=tuple(
        run(target=target, workload=workload, round=number, cpu_us=cpu_us, requests_per_second=1e6 / cpu_us)
        for number in range(3)
        for workload in ("sat", "satH")
        for target, cpu_us in ((OURS, 14.0), (BASE, 35.0), (RIVAL, 16.0), (FLOOR, 12.0))
    ),
    memory=(Memory(target=OURS, round=0, idle_kib=15 * 1024, loaded_kib=21 * 1024),),
    decisions=(
        parse('{"name": "token bucket", "one": 8.5, "two": 9}'),
        parse('{"name": "governor", "one": 28, "two": 30}'),
    ),
)


def goal(results: Results, number: str, unit: str, name: str = "") -> Goal:
    return next(g for g in judge(results) if (g["goal"], g["unit"]) == (number, unit) and name in g["name"])


def test_every_goal_of_the_data_plane_is_in_the_list_in_order() -> None:
    numbers = [int(goal["goal"][1:]) for goal in judge(NOTHING)]
    assert numbers == sorted(numbers)
    assert set(numbers) == {*range(1, 14), 18}


def test_a_goal_without_a_value_has_a_reason_and_no_verdict() -> None:
    for unmeasured in judge(NOTHING):
        assert unmeasured["value"] is None
        assert unmeasured["met"] is None
        assert unmeasured["reason"]


def test_a_measured_goal_has_rounds_peers_and_a_verdict_and_no_reason() -> None:
    assert goal(WHOLE, "G1", f"x {BASE}") == {
        "goal": "G1",
        "name": "HTTP/1.1 CPU per request at saturation",
        "value": 0.4,
        "unit": "x envoy-full",
        "must": 0.42,
        "stretch": None,
        "met": True,
        "rounds": (0.4, 0.4, 0.4),
        "peers": {BASE: 35.0, RIVAL: 16.0, FLOOR: 12.0},
        "ours": 14.0,
    }


def test_user_space_time_is_judged_by_itself() -> None:
    assert goal(WHOLE, "G4", "us")["value"] == 2.8


def test_a_decision_stands_beside_another_librarys() -> None:
    local = goal(WHOLE, "G11", "ns", "local")
    assert (local["value"], local["met"], local["peers"]) == (8.5, True, {"governor": 28})
    assert goal(WHOLE, "G11", "ns", "10,000 keys")["value"] is None


def test_more_is_better_for_throughput() -> None:
    assert goal(WHOLE, "G8", f"x {BASE}")["value"] == 2.5
    assert goal(WHOLE, "G8", f"x {BASE}")["met"] is True


def test_memory_is_judged_idle_and_after_load() -> None:
    assert goal(WHOLE, "G9", "MB", "idle")["met"] is True
    assert goal(WHOLE, "G9", "MB", "after load")["met"] is False


def test_a_goal_with_nothing_but_a_stretch_has_no_verdict() -> None:
    assert goal(WHOLE, "G1", f"x {FLOOR}")["met"] is None


def test_the_ratio_at_saturation_needs_both_sides() -> None:
    assert saturation_ratio(WHOLE) == 0.4
    assert saturation_ratio(NOTHING) is None
