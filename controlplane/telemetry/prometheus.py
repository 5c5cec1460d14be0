"""The merged families of all sidecars in the form that Prometheus reads."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from controlplane.telemetry.merge import Merge, Merged
from controlplane.telemetry.report import MetricType
from registry.families import Family, FamilyType

_HELP: Final = "Added up over all sidecars."
_NO_NAME: Final = re.compile(r"^[^A-Za-z_]|^$|[^A-Za-z0-9_]")
"""What no name of ours has in it, of a family or a label; sidecars may report any."""


class MergedCollector:
    """Reads the totals when Prometheus asks."""

    def __init__(self, merge: Merge, now_ns: Callable[[], int]) -> None:
        self._merge = merge
        self._now_ns = now_ns

    def collect(self) -> Iterator[Family]:
        """Every merged family, and how much of the reports did not fit."""
        yield from map(_family, self._merge.families(self._now_ns()))
        overflow = Family(
            name="breakwater_controlplane_telemetry_overflows_total",
            help="Measurements that went to the series `other`, or nowhere, for want of room.",
            type=FamilyType.COUNTER,
            labels=("place",),
        )
        overflow.add(self._merge.overflowed, ("other",))
        overflow.add(self._merge.dropped, ("nowhere",))
        yield overflow


def _family(merged: Merged) -> Family:
    shape = merged.shape
    name = _named(shape.name)
    if shape.type is MetricType.COUNTER:
        name = name.removesuffix("_total") + "_total"
    labels = tuple(map(_named, shape.labels))
    family = Family(name=name, help=_HELP, type=FamilyType(shape.type.value), labels=labels)
    for texts, point in merged.points.items():
        if shape.type is MetricType.HISTOGRAM:
            family.add_spread(shape.bounds, point.buckets, point.value, texts)
        else:
            family.add(point.value, texts)
    return family


def _named(text: str) -> str:
    return _NO_NAME.sub("_", text)
