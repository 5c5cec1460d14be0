"""Builders of the bench's data."""

from tests.bench.figures import Cost, Run
from tests.bench.load import LoadResult


def run(
    *,
    target: str = "floor",
    workload: str = "sat",
    round: int = 0,  # noqa: A002 (the field's name)
    cpu_us: float | None = 10,
    requests_per_second: float = 1000,
) -> Run:
    """Return a run that spent a fifth of its CPU outside the kernel."""
    load = LoadResult(
        requests=1000, errors=0, requests_per_second=requests_per_second, p50_us=500, p99_us=900
    )
    cost = None if cpu_us is None else Cost(cpu_us=cpu_us, user_us=cpu_us / 5, cores=1)
    return Run(target=target, workload=workload, round=round, load=load, cost=cost, foreign_cores=0)
