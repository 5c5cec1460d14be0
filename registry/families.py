"""Measurements in the form that Prometheus reads: families of samples, as plain text.

Prometheus' own library also serves them, pushes them and encrypts that: 4 MB of modules for nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""What `encode` writes."""

_IN_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})
_IN_LABEL: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class FamilyType(Enum):
    """What the values of a family are; counters and histograms only grow."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(NamedTuple):
    """One value."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Samples of one name, each with a text for all of `labels`; the name of a counter ends in `_total`."""

    name: str
    help: str
    type: FamilyType = FamilyType.GAUGE
    labels: tuple[str, ...] = ()
    samples: list[Sample] = field(default_factory=list)

    def add(self, value: float, texts: Iterable[str] = ()) -> None:
        """Adds a value."""
        self.samples.append(Sample(self.name, self._labelled(texts), value))

    def add_spread(
        self, bounds: Sequence[float], counts: Iterable[float], total: float, texts: Iterable[str] = ()
    ) -> None:
        """Adds how many values there were up to each of `bounds` and above the last, and the sum of all."""
        labels, count = self._labelled(texts), 0.0
        for bound, count in zip((*bounds, inf), accumulate(counts), strict=True):
            self.samples.append(Sample(f"{self.name}_bucket", {**labels, "le": _number(bound)}, count))
        self.samples.append(Sample(f"{self.name}_count", labels, count))
        self.samples.append(Sample(f"{self.name}_sum", labels, total))

    def _labelled(self, texts: Iterable[str]) -> dict[str, str]:
        return dict(zip(self.labels, texts, strict=True))


def gauge(name: str, documentation: str, value: float) -> Family:
    """A gauge with one value."""
    return Family(name=name, help=documentation, samples=[Sample(name, {}, value)])


class Collector(Protocol):
    """What measures, or reads what was measured."""

    def collect(self) -> Iterable[Family]:
        """Every family, as it is now."""
        ...


def encode(families: Iterable[Family]) -> bytes:
    """The page that Prometheus reads."""
    return "".join(line for family in families for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help.translate(_IN_HELP)}\n"
    yield f"# TYPE {family.name} {family.type.value}\n"
    for name, labels, value in family.samples:
        yield f"{name}{_braced(labels)} {_number(value)}\n"


def _braced(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    texts = (f'{label}="{text.translate(_IN_LABEL)}"' for label, text in sorted(labels.items()))
    return f"{{{','.join(texts)}}}"


def _number(value: float) -> str:
    return "+Inf" if value == inf else repr(float(value))
