"""The goals of the data plane: what each must reach, and what a run of the bench says about it."""

from tests.bench.aims import Aim, Goal, judged, unmeasured
from tests.bench.figures import Decision, Results, cpu, paired_ratios, rate, spread, user
from tests.bench.measures import Measure, Measured, absolute, against, decided, resident
from tests.bench.targets import BASE, CALLEE, CALLER, FLOOR, OURS, RIVAL

ENVOY, HAPROXY, PROBE = f"x {BASE}", f"x {RIVAL}", f"x {FLOOR}"

MEASURED: tuple[tuple[Aim, Measure], ...] = (
    (
        Aim(goal="G1", name="HTTP/1.1 CPU per request at saturation", unit=ENVOY, must=0.42),
        against(BASE, "sat", cpu),
    ),
    (
        Aim(goal="G1", name="HTTP/1.1 CPU per request at saturation", unit=HAPROXY, must=0.95),
        against(RIVAL, "sat", cpu),
    ),
    (
        Aim(goal="G1", name="HTTP/1.1 CPU per request at saturation", unit=PROBE, stretch=1.10),
        against(FLOOR, "sat", cpu),
    ),
    (
        Aim(goal="G1", name="the same, every policy of a caller at once", unit=ENVOY, must=0.50),
        against(BASE, "sat", cpu, ours=CALLER),
    ),
    (
        Aim(goal="G1", name="the same, every policy of a callee at once", unit=ENVOY, must=0.50),
        against(BASE, "sat", cpu, ours=CALLEE),
    ),
    (
        Aim(goal="G2", name="the same with ten request headers", unit=ENVOY, must=0.40, stretch=0.34),
        against(BASE, "satH", cpu),
    ),
    (
        Aim(goal="G4", name="user-space CPU per HTTP/1.1 request", unit="us", must=3, stretch=1.5),
        absolute("sat", user),
    ),
    (
        Aim(
            goal="G8",
            name="requests per second on one core, at least",
            unit=ENVOY,
            must=2.2,
            more_is_better=True,
        ),
        against(BASE, "sat", rate),
    ),
    (
        Aim(goal="G9", name="resident memory, idle", unit="MB", must=16, stretch=13),
        resident(loaded=False),
    ),
    (
        Aim(goal="G9", name="resident memory, after load", unit="MB", must=20, stretch=16),
        resident(loaded=True),
    ),
    (
        Aim(goal="G11", name="rate-limit decision, local", unit="ns", must=10, stretch=2),
        decided("token bucket", beside="governor"),
    ),
    (
        Aim(goal="G11", name="rate-limit decision, 10,000 keys", unit="ns", must=30, stretch=25),
        decided("token bucket, 10,000 keys", beside="governor, 10,000 keys"),
    ),
    (
        Aim(goal="G12", name="all policies of a caller together", unit="ns", must=200, stretch=100),
        decided("all stages of a caller together"),
    ),
    (
        Aim(goal="G12", name="all policies of a callee together", unit="ns", must=200, stretch=100),
        decided("all stages of a callee together"),
    ),
)

# Loops that are no decision of ours.
_BESIDE = ("nothing at all", "governor")

_NO_OPEN_LOOP = "this bench has no open-loop load yet"
_NO_HTTP2 = "this bench has no HTTP/2 load yet"
_NO_TCP = "this bench has no TCP load yet"

# Why each of these has no value.
UNMEASURED: tuple[tuple[Aim, str], ...] = (
    (Aim(goal="G3", name="HTTP/1.1 CPU at 1,000/s", unit=ENVOY, must=0.50, stretch=0.42), _NO_OPEN_LOOP),
    (Aim(goal="G3", name="HTTP/1.1 CPU at 5,000/s", unit=ENVOY, must=0.60, stretch=0.53), _NO_OPEN_LOOP),
    (Aim(goal="G5", name="HTTP/2 CPU at saturation", unit=ENVOY, must=0.80, stretch=0.50), _NO_HTTP2),
    (Aim(goal="G6", name="HTTP/2 CPU at 5,000/s", unit=ENVOY, must=0.55, stretch=0.42), _NO_HTTP2),
    (Aim(goal="G7", name="added p50 at 1,000/s", unit=ENVOY, must=0.60, stretch=0.50), _NO_OPEN_LOOP),
    (Aim(goal="G7", name="added p99 at 1,000/s", unit=ENVOY, must=0.50, stretch=0.35), _NO_OPEN_LOOP),
    (
        Aim(goal="G10", name="memory per idle connection pair", unit="KiB", must=2, stretch=0.5),
        "this bench holds no idle connections yet",
    ),
    (Aim(goal="G13", name="TCP exchange of 1 KB", unit="x envoy", must=0.80, stretch=0.75), _NO_TCP),
    (Aim(goal="G13", name="TCP bulk", unit="CPU-ms/GB", must=400, stretch=335), _NO_TCP),
    (
        Aim(goal="G18", name="requests failed by a policy swap", unit="requests", must=0),
        "this bench swaps no policy under load yet",
    ),
    (
        Aim(goal="G18", name="p99 of the second of a policy swap", unit="x before", must=1.2),
        "this bench swaps no policy under load yet",
    ),
)


def judge(results: Results) -> list[Goal]:
    """Return every goal of the data plane with what the results say, in order of their numbers."""
    goals = [_judged(aim, measure(results)) for aim, measure in MEASURED]
    goals += [unmeasured(aim, reason) for aim, reason in UNMEASURED]
    goals += [_of_machine(one) for one in results.decisions if not one.name.startswith(_BESIDE)]
    return sorted(goals, key=lambda goal: int(goal["goal"][1:]))


def saturation_ratio(results: Results) -> float | None:
    """Return our CPU per request at saturation as a multiple of Envoy's, if both were measured."""
    ratios = spread(paired_ratios(results.of(OURS, "sat"), results.of(BASE, "sat"), cpu))
    return None if ratios is None else ratios.median


def _of_machine(decision: Decision) -> Goal:
    """A row without a bar: what one decision of one machine costs, alone and on two threads at once."""
    aim = Aim(goal="G12", name=f"decision: {decision.name}", unit="ns")
    return judged(aim, (decision.one,), ours=decision.one, peers={"two threads": decision.two})


def _judged(aim: Aim, measured: Measured) -> Goal:
    if not measured.rounds:
        return unmeasured(aim, "a target that it needs was left out of this run")
    return judged(aim, measured.rounds, ours=measured.ours, peers=measured.peers)
