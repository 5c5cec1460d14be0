"""Adds up the reports of all sidecars, so that nothing is counted twice and nothing is lost.

Theory of operation. A sidecar reports cumulative values and the *epoch* at which they began from zero. Only
the increase over what was counted before enters a total: all of the value when the epoch is new, nothing of a
report that is repeated, and nothing of one from an older epoch. A sidecar that comes from another replica
brings a *baseline*, the report that was counted there last: what is newer than all we know of it is taken
over and adds nothing. A sidecar that is silent for long is forgotten; what it added stays in the totals, and
its epoch is remembered so that it is not added again when it returns.
Gauges are not added up over time: each sidecar's newest counts while the sidecar is live.

Series are bounded. Past the bound of a family, measurements with new labels go to one series whose labels all
say `other`; past that of an instance they are dropped. Both are counted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from operator import sub
from typing import TypeAlias

from controlplane.model.traffic import LIVE_SECONDS
from controlplane.telemetry.rates import SECOND_NS, Ring, Spread, spread
from controlplane.telemetry.report import (
    RATED,
    Baseline,
    Family,
    LabelValues,
    MetricType,
    Point,
    Report,
    Shape,
)

LIVE_NS = LIVE_SECONDS * SECOND_NS

FORGOTTEN_NS = 600 * SECOND_NS
"""After this long without a report, a sidecar's own values are forgotten."""

OTHER = "other"

Series: TypeAlias = tuple[str, LabelValues]
"""Names one series: its family, and the values of its labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is kept."""

    instances: int = 20_000
    families: int = 256
    series_per_family: int = 10_000
    series_per_instance: int = 10_000
    epochs: int = 100_000


@dataclass(slots=True)
class Total:
    """The sum of one series over all sidecars, and how it grew in the last minute if that is asked for."""

    value: float = 0.0
    buckets: list[float] = field(default_factory=list)
    ring: Ring | None = None

    def add(self, increase: Point, over: Spread) -> None:
        """Counts what one sidecar added over some seconds."""
        self.value += increase.value
        if increase.buckets:
            known = self.buckets or (0.0,) * len(increase.buckets)
            self.buckets = [one + more for one, more in zip(known, increase.buckets, strict=True)]
        if self.ring:
            self.ring.add((increase.value, *increase.buckets), over)


@dataclass(slots=True, kw_only=True)
class Instance:
    """The newest report of one sidecar, made at `at_ns` of its clock and taken at `reported_ns` of ours.

    What it counted is known since `since_ns`, or all of it. One that `has_left` may be elsewhere.
    """

    epoch_ns: int
    at_ns: int
    reported_ns: int
    points: dict[Series, Point] = field(default_factory=dict)
    gauges: list[Series] = field(default_factory=list)
    since_ns: int | None = None
    resident_bytes: int = 0
    has_left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One family over all sidecars."""

    shape: Shape
    points: Mapping[LabelValues, Point]


class Merge:
    """All totals. Mutable, because copying them on every report would cost more than adding up."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._shapes: dict[str, Shape] = {}
        self._series: dict[str, dict[LabelValues, Series]] = {}
        self._totals: dict[str, dict[LabelValues, Total]] = {}
        self._instances: dict[str, Instance] = {}
        self._epochs: dict[str, int] = {}
        self.overflowed = 0
        self.dropped = 0

    def take(self, report: Report, now_ns: int) -> None:
        """Adds what `report`, which came at the wall-clock instant `now_ns`, says beyond the one before.

        Past the bound on sidecars, those that are new are left out.
        """
        known = self._instances.get(report.instance)
        if known is None and len(self._instances) >= self._bounds.instances:
            self.dropped += sum(len(family.points) for family in report.families)
            return
        if report.epoch_ns < (known.epoch_ns if known else self._epochs.get(report.instance, 0)):
            return
        before = self._before(report, known, now_ns)
        if before.at_ns < report.at_ns:
            self._note(report.families, before, spread(now_ns - (report.at_ns - before.at_ns), now_ns))
            before.at_ns = report.at_ns
        self._epochs.pop(report.instance, None)
        self._instances[report.instance] = replace(
            before, reported_ns=now_ns, resident_bytes=report.resident_bytes
        )

    def leave(self, instance: str, reported_ns: int) -> None:
        """A sidecar whose last report came at `reported_ns` reports here no longer."""
        known = self._instances.get(instance)
        if known and known.reported_ns == reported_ns:
            known.has_left = True

    def forget(self, now_ns: int) -> None:
        """Forgets the sidecars that have been silent for long; the totals keep what they added."""
        silent = [name for name, one in self._instances.items() if now_ns - one.reported_ns > FORGOTTEN_NS]
        for name in silent:
            self._epochs[name] = self._instances.pop(name).epoch_ns
        while len(self._epochs) > self._bounds.epochs:
            del self._epochs[next(iter(self._epochs))]

    def families(self, now_ns: int) -> Iterator[Merged]:
        """Every family over all sidecars, sorted by name; gauges over the live ones only."""
        gauges = self._gauges(now_ns)
        for name, shape in sorted(self._shapes.items()):
            if shape.type is MetricType.GAUGE:
                yield Merged(shape=shape, points=gauges.get(name, {}))
            else:
                totals = self._totals.get(name, {})
                yield Merged(
                    shape=shape, points={k: Point(t.value, tuple(t.buckets)) for k, t in totals.items()}
                )

    def growth(self, name: str, first: int, last: int) -> Iterator[tuple[dict[str, str], list[float]]]:
        """The labels of each series of a rated family, and how much it grew from `first` to `last`."""
        for labels, total in self._totals.get(name, {}).items():
            if total.ring and (increase := total.ring.total(first, last)):
                yield self.labels_of(name, labels), increase

    def labels_of(self, name: str, values: LabelValues) -> dict[str, str]:
        """The labels of one series of a family that was reported."""
        return dict(zip(self._shapes[name].labels, values, strict=True))

    def bounds_of(self, name: str) -> tuple[float, ...]:
        """The upper bounds of a histogram's buckets in seconds; none when nobody has reported it."""
        shape = self._shapes.get(name)
        return shape.bounds if shape else ()

    def live(self, now_ns: int) -> dict[str, Instance]:
        """The sidecars that report here, with their newest values."""
        return {name: one for name, one in self.heard(now_ns, LIVE_NS).items() if not one.has_left}

    def heard(self, now_ns: int, within_ns: int) -> dict[str, Instance]:
        """The sidecars that reported within a time, wherever they are now."""
        return {name: one for name, one in self._instances.items() if now_ns - one.reported_ns <= within_ns}

    def resident_bytes(self, instance: str) -> int:
        """Resident memory as last reported; zero when nothing was."""
        known = self._instances.get(instance)
        return known.resident_bytes if known else 0

    def _before(self, report: Report, known: Instance | None, now_ns: int) -> Instance:
        """What was counted of the epoch of `report` before it."""
        epoch_ns, baseline = report.epoch_ns, report.baseline
        newest = known if known and known.epoch_ns == epoch_ns else None
        if baseline and baseline.at_ns > (newest.at_ns if newest else 0):
            return self._taken_over(report, baseline, now_ns)
        if newest:
            return replace(newest, has_left=False)
        if self._epochs.get(report.instance) == epoch_ns:
            return self._taken_over(report, Baseline(at_ns=report.at_ns, families=report.families), now_ns)
        began_ns = min(epoch_ns, report.at_ns - 1)  # two clocks, when the report does not say its instant
        return Instance(epoch_ns=epoch_ns, at_ns=began_ns, reported_ns=now_ns)

    def _taken_over(self, report: Report, baseline: Baseline, now_ns: int) -> Instance:
        """What others counted, which adds nothing here."""
        instance = Instance(
            epoch_ns=report.epoch_ns,
            at_ns=baseline.at_ns,
            reported_ns=now_ns,
            since_ns=now_ns - (report.at_ns - baseline.at_ns),
        )
        self._note(baseline.families, instance, None)
        return instance

    def _note(self, families: Iterable[Family], instance: Instance, over: Spread | None) -> None:
        """Takes measurements of a sidecar, and adds what is new to the totals, unless `over` is `None`.

        What only grows stays known when a report leaves it out.
        """
        for series in instance.gauges:
            instance.points.pop(series, None)  # a family may come twice
        instance.gauges = []
        for family in sorted(families, key=_rank):  # what matters most first, where there is not room for all
            if self._is_known(family.shape):
                self._note_family(family, instance, over)
            else:
                self.dropped += len(family.points)

    def _is_known(self, shape: Shape) -> bool:
        """Whether a family can be added up: what it was when it came first, if there was room for it."""
        if shape.name not in self._shapes and len(self._shapes) < self._bounds.families:
            self._shapes[shape.name] = shape
        return self._shapes.get(shape.name) == shape

    def _note_family(self, family: Family, instance: Instance, over: Spread | None) -> None:
        name, points, size = family.shape.name, instance.points, family.shape.size
        is_gauge = family.shape.type is MetricType.GAUGE
        known = self._series.setdefault(name, {})
        for labels, point in family.points.items():
            if not is_gauge and (old := known.get(labels)) and points.get(old) == point:
                continue  # as most of them, and the same as one that was taken
            if (len(labels), len(point.buckets)) != size or not _is_number(point):
                self.dropped += 1
                continue
            series = known.get(labels) or self._new_series(name, labels)
            before = points.get(series)
            if before is None and len(points) >= self._bounds.series_per_instance:
                self.dropped += 1
                continue
            points[series] = point
            if is_gauge:
                instance.gauges.append(series)
            elif over and (increase := _increase(before, point)):
                self._total(name, series[1]).add(increase, over)

    def _new_series(self, name: str, labels: LabelValues) -> Series:
        """The name of a series, kept so that all sidecars share it while there is room."""
        series, known = (name, labels), self._series[name]
        if len(known) < self._bounds.series_per_family:
            known[labels] = series
        return series

    def _total(self, name: str, labels: LabelValues) -> Total:
        totals = self._totals.setdefault(name, {})
        total = totals.get(labels)
        if total is None and len(totals) >= self._bounds.series_per_family - 1:
            self.overflowed += 1
            labels = (OTHER,) * len(labels)
            total = totals.get(labels)
        return total or totals.setdefault(labels, Total(ring=Ring() if name in RATED else None))

    def _gauges(self, now_ns: int) -> dict[str, dict[LabelValues, Point]]:
        found: dict[str, dict[LabelValues, Point]] = {}
        for instance in self.live(now_ns).values():
            for (name, labels), point in instance.points.items():
                if self._shapes[name].type is MetricType.GAUGE:
                    series = found.setdefault(name, {})
                    known = series.get(labels)
                    series[labels] = Point(_combine(name, known.value, point.value)) if known else point
        return found


def _rank(family: Family) -> bool:
    return family.shape.name not in RATED


def _is_number(point: Point) -> bool:
    """Whether it can be added up: one that is none would be all that is left of the total."""
    return isfinite(point.value) and isfinite(sum(point.buckets))


def _increase(before: Point | None, after: Point) -> Point | None:
    """What was added since `before`, or `None` for nothing; a value that fell added nothing."""
    if before is None:
        return after if after.value or any(after.buckets) else None
    if before == after:
        return None
    value = after.value - before.value
    buckets = tuple(map(sub, after.buckets, before.buckets))
    return Point(value, buckets) if value >= 0 and min(buckets, default=0) >= 0 else None


def _combine(name: str, one: float, other: float) -> float:
    """One gauge of two sidecars: the tightest of tokens, the worst of states, ages and fill, else the sum."""
    if name.endswith("_tokens_ratio"):
        return min(one, other)
    if name.endswith(("_state", "_seconds", "_ratio")):
        return max(one, other)
    return one + other
