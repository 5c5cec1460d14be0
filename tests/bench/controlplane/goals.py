"""The goals of the control plane: what each must reach, and what a run of the bench says about it."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from tests.bench.aims import Aim, Goal, judged, unmeasured
from tests.bench.controlplane.figures import Mass, Results, Size, share

SIDECARS: Final = 1_000
MANY: Final = 5_000

OfSize: TypeAlias = Callable[[Size], Sequence[float]]
OfMass: TypeAlias = Callable[[Mass], float]

BY_SIZE: Final[tuple[tuple[Aim, int, OfSize], ...]] = (
    (
        Aim(
            goal="G14",
            name="20 KB to 1,000, from the first that has it to the last",
            unit="ms",
            must=50,
            stretch=20,
        ),
        SIDECARS,
        lambda size: [each.pushed_ms for each in size.pushes],
    ),
    (
        Aim(
            goal="G15",
            name="policy in etcd to APPLIED by the last of 1,000, p50",
            unit="ms",
            must=100,
            stretch=60,
        ),
        SIDECARS,
        lambda size: [each.applied_ms for each in size.edits],
    ),
    (
        Aim(goal="G15", name="the same, p99", unit="ms", must=250),
        SIDECARS,
        lambda size: [share([each.applied_ms for each in size.edits], 0.99)],
    ),
    (
        Aim(goal="G15", name="bytes that one change sends to a sidecar", unit="B", must=10_000),
        SIDECARS,
        lambda size: [max(each.most_bytes for each in size.edits)],
    ),
    (
        Aim(goal="G15", name="responses to sidecars that do not read what changed", unit="responses", must=0),
        SIDECARS,
        lambda size: [size.strays],
    ),
    (
        Aim(
            goal="G16",
            name="20 KB to 5,000, from the first that has it to the last",
            unit="ms",
            must=350,
            stretch=120,
        ),
        MANY,
        lambda size: [each.pushed_ms for each in size.pushes],
    ),
    (
        Aim(
            goal="G16",
            name="5,000 reconnecting at once: the last is back",
            unit="ms",
            must=5_000,
            stretch=2_000,
        ),
        MANY,
        lambda size: [each.back_ms for each in size.storms],
    ),
    (
        Aim(goal="G16", name="connections refused meanwhile", unit="connections", must=0),
        MANY,
        lambda size: [sum(each.refused for each in size.storms)],
    ),
    (
        Aim(goal="G17", name="memory per sidecar, 1,000 of them", unit="KiB", must=45, stretch=25),
        SIDECARS,
        lambda size: [size.kib_per_sidecar],
    ),
    (
        Aim(
            goal="G17", name="memory with 1,000 sidecars, services and policies included", unit="MB", must=105
        ),
        SIDECARS,
        lambda size: [size.resident_kib / 1024],
    ),
    (
        Aim(goal="F8", name="pushes a second of a policy that flaps at 50 Hz", unit="pushes/s", must=10),
        SIDECARS,
        lambda size: [size.flaps_per_second],
    ),
)

OF_MASS: Final[tuple[tuple[Aim, OfMass], ...]] = (
    (
        Aim(goal="F7", name="10,000 policies: start to all APPLIED", unit="s", must=30),
        lambda mass: mass.converged_seconds,
    ),
    (
        Aim(goal="F7", name="memory with them", unit="MB", must=1_024),
        lambda mass: mass.resident_kib / 1024,
    ),
)


OF_NOTHING: Final = Aim(goal="G17", name="memory in an empty mesh", unit="MB", must=60)


def judge(results: Results) -> list[Goal]:
    """Return every goal of the control plane with what the results say."""
    of_nothing = judged(OF_NOTHING, [round(results.empty_kib / 1024, 2)])
    goals = [_of_size(aim, results.find(sidecars), rounds) for aim, sidecars, rounds in BY_SIZE]
    return [of_nothing, *goals] + [_of_mass(aim, results.mass, value) for aim, value in OF_MASS]


def _of_size(aim: Aim, size: Size | None, rounds: OfSize) -> Goal:
    if size is None:
        return unmeasured(aim, "that size of the fleet was left out of this run")
    return judged(aim, [round(value, 2) for value in rounds(size)])


def _of_mass(aim: Aim, mass: Mass | None, value: OfMass) -> Goal:
    if mass is None:
        return unmeasured(aim, "the many policies were left out of this run")
    return judged(aim, [round(value(mass), 2)])
