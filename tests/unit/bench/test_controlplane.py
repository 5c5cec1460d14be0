"""The bench of the control plane: its world, its figures, and every goal judged or with a reason why not."""

from collections import Counter

from tests.bench.controlplane.figures import Mass, Results, Size, share
from tests.bench.controlplane.goals import judge
from tests.bench.controlplane.report import tables
from tests.bench.controlplane.trials import Churn, Delivery, Storm
from tests.bench.controlplane.world import World, host

WORLD = World()
DELIVERY = Delivery(
    applied_ms=80.0, received_ms=60.0, pushed_ms=45.0, cpu_ms=90.0, responses=1_000, most_bytes=1_700
)
STRAY = Delivery(applied_ms=10.0, received_ms=9.0, pushed_ms=2.0, cpu_ms=2.0, responses=12, most_bytes=1_700)


def size(sidecars: int) -> Size:
    return Size(
        sidecars=sidecars,
        base_kib=50 * 1024,
        resident_kib=50 * 1024 + 40 * sidecars,
        cold_ms=900.0,
        edits=[DELIVERY],
        narrow=[(10, STRAY)],
        pushes=[DELIVERY],
        churn=Churn(p50_ms=5.0, p99_ms=20.0, most_ms=30.0, cores=0.4, responses_per_second=2_000.0),
        flaps_per_second=9.8,
        storms=[Storm(back_ms=800.0, refused=0, sent=0)],
        stormed_kib=100 * 1024,
        accompanied_kib=150 * 1024,
        reporting_cores=0.3,
        foreign_cores=0.0,
    )


RESULTS = Results(
    empty_kib=55 * 1024,
    sizes=(size(1_000), size(5_000)),
    mass=Mass(policies=10_000, sidecars=20, converged_seconds=12.0, resident_kib=300 * 1024),
)


def test_world_has_the_endpoints_and_policies_that_it_says() -> None:
    registrations = list(WORLD.registrations())
    assert len(registrations) == WORLD.endpoints
    by_service = Counter(each.service for each in registrations)
    assert len(by_service) == WORLD.services
    assert by_service[WORLD.service(0)] == 260
    assert len({WORLD.policy(number) for number in range(WORLD.policies)}) == WORLD.policies


def test_all_sidecars_call_the_first_service_and_others() -> None:
    for sidecar in WORLD.sidecars(1_000):
        assert host(WORLD.service(0)) in sidecar.hosts
        assert len(sidecar.hosts) >= 9
    assert len({sidecar.instance for sidecar in WORLD.sidecars(5_000)}) == 5_000


def test_share_is_the_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (share(values, 0.5), share(values, 0.99), share(values, 1.0)) == (50.0, 99.0, 100.0)
    assert share([7.0], 0.5) == 7.0


def test_every_goal_has_a_value_or_a_reason() -> None:
    for goal in judge(Results(empty_kib=55 * 1024, sizes=(), mass=None)):
        is_measured = goal["name"] == "memory in an empty mesh"
        assert (goal["value"] is not None) is is_measured
        assert ("reason" in goal) is not is_measured
    for goal in judge(RESULTS):
        assert goal["value"] is not None
        assert "reason" not in goal


def test_responses_to_others_than_the_readers_fail_their_goal() -> None:
    strays = next(goal for goal in judge(RESULTS) if "do not read" in goal["name"])
    assert (strays["value"], strays["met"]) == (2, False)


def test_memory_is_what_each_sidecar_adds() -> None:
    memory = next(goal for goal in judge(RESULTS) if "per sidecar" in goal["name"])
    assert (memory["value"], memory["met"]) == (40.0, True)


def test_table_has_a_column_for_each_size() -> None:
    header = tables(RESULTS).splitlines()[1]
    assert "1,000 sidecars" in header
    assert "5,000 sidecars" in header
