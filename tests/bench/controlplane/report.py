"""The bench's figures as a table: a column for each size of the fleet, so that growth is seen."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.bench.controlplane.figures import Mass, Results, Size, share
from tests.bench.controlplane.trials import Delivery
from tests.bench.tables import table


def tables(results: Results) -> str:
    """Return a table of all sizes, and what many policies cost."""
    header = ("median / p99", *(f"{size.sidecars:,} sidecars" for size in results.sizes))
    rows = ((name, *map(figure, results.sizes)) for name, figure in _ROWS)
    shown = table("Delivery, milliseconds from writing to etcd", header, rows)
    return f"{shown}\n\n{_mass(results.mass)}" if results.mass else shown


def _mass(mass: Mass) -> str:
    took = f"{mass.converged_seconds:.1f} s from start to the last APPLIED"
    return f"{mass.policies:,} policies, {mass.sidecars} sidecars: {took}, {mass.resident_kib / 1024:.0f} MB"


def _spread(values: Sequence[float]) -> str:
    return f"{share(values, 0.5):,.0f} / {share(values, 0.99):,.0f}"


def _cpu(size: Size, deliveries: Sequence[Delivery]) -> str:
    return f"{share([each.cpu_ms for each in deliveries], 0.5) * 1000 / size.sidecars:,.0f}"


def _sums(size: Size) -> str:
    return f"{sum(each.refused for each in size.storms)} / {sum(each.sent for each in size.storms)}"


_ROWS: Final[tuple[tuple[str, Callable[[Size], str]], ...]] = (
    ("cold start, ms", lambda size: f"{size.cold_ms:,.0f}"),
    ("edit to last APPLIED, ms", lambda size: _spread([each.applied_ms for each in size.edits])),
    ("  CPU, us a sidecar", lambda size: _cpu(size, size.edits)),
    ("  bytes a sidecar", lambda size: f"{max(each.most_bytes for each in size.edits):,}"),
    ("20 KB to last byte, ms", lambda size: _spread([each.received_ms for each in size.pushes])),
    ("  from the first to the last", lambda size: _spread([each.pushed_ms for each in size.pushes])),
    ("  CPU, us a sidecar", lambda size: _cpu(size, size.pushes)),
    ("edit with few readers, ms", lambda size: _spread([each.applied_ms for _, each in size.narrow])),
    ("  responses to others", lambda size: f"{size.strays}"),
    ("churn of 100/s, lag ms", lambda size: f"{size.churn.p50_ms:,.0f} / {size.churn.p99_ms:,.0f}"),
    ("  cores", lambda size: f"{size.churn.cores:.2f}"),
    ("  responses/s", lambda size: f"{size.churn.responses_per_second:,.0f}"),
    ("flapping at 50 Hz, pushes/s", lambda size: f"{size.flaps_per_second:.1f}"),
    ("reconnect storm, ms", lambda size: _spread([each.back_ms for each in size.storms])),
    ("  refused / sent anew", _sums),
    ("memory without sidecars, MB", lambda size: f"{size.base_kib / 1024:.1f}"),
    ("  with them, MB", lambda size: f"{size.resident_kib / 1024:.1f}"),
    ("  KiB a sidecar", lambda size: f"{size.kib_per_sidecar:.1f}"),
    ("  after the storms, MB", lambda size: f"{size.stormed_kib / 1024:.1f}"),
    ("  KiB with all their streams", lambda size: f"{size.kib_per_accompanied:.1f}"),
    ("reporting, cores", lambda size: f"{size.reporting_cores:.2f}"),
    ("others used, cores", lambda size: f"{size.foreign_cores:.2f}"),
)
