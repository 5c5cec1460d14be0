"""Totals against the plain truth, while sidecars repeat themselves, restart, move, fall silent and return."""

from dataclasses import dataclass

from controlplane.telemetry.merge import FORGOTTEN_NS, Merge
from controlplane.telemetry.report import Baseline
from tests.support import drawn
from tests.support.reports import EPOCH, SECOND, baseline, counted
from tests.support.sequences import invariant, rule, shown

NAMES = ("cart-0", "cart-1")
INSTANCES = drawn.sampled_from(NAMES)
REPLICAS = drawn.integers(0, 1)
COUNTS = drawn.integers(0, 5)


@dataclass(slots=True)
class Sidecar:
    """What a sidecar keeps: its counts, what was answered last, and with which replica it talks."""

    epoch: int
    count: int = 0
    reported: int = 0
    has_reported: bool = False
    answered: Baseline | None = None
    replica: int = 0
    is_stream_new: bool = True


class Reports:
    """Two replicas; every sidecar reports what it has counted before it restarts, so that nothing is lost."""

    def __init__(self) -> None:
        self.replicas = [Merge(), Merge()]
        self.now = EPOCH + SECOND
        self.sidecars = {name: Sidecar(EPOCH) for name in NAMES}
        self.held = [0, 0]

    @rule(instance=INSTANCES, more=COUNTS)
    def report(self, instance: str, more: int = 0) -> None:
        """A report that is answered."""
        sidecar = self.sidecars[instance]
        self.send(instance, more)
        sidecar.answered = baseline(sidecar.count, at=self.now)

    @rule(instance=INSTANCES, more=COUNTS)
    def report_without_an_answer(self, instance: str, more: int) -> None:
        """The stream breaks; the sidecar stays with its replica."""
        self.send(instance, more)
        self.sidecars[instance].is_stream_new = True

    @rule(instance=INSTANCES, more=COUNTS)
    def move(self, instance: str, more: int = 0) -> None:
        """A sidecar goes over, between an answer and the next report."""
        sidecar = self.sidecars[instance]
        if sidecar.has_reported:
            self.report(instance)
        sidecar.replica, sidecar.is_stream_new = 1 - sidecar.replica, True
        self.report(instance, more)

    @rule(replica=REPLICAS)
    def kill(self, replica: int) -> None:
        """What a replica held is lost; what it had answered is never counted again."""
        for name, sidecar in self.sidecars.items():
            if sidecar.replica == replica:
                self.move(name)
        self.replicas[replica], self.held[replica] = Merge(), 0

    @rule(instance=INSTANCES)
    def restart(self, instance: str) -> None:
        self.report(instance)
        self.now += SECOND
        self.sidecars[instance] = Sidecar(self.now, replica=self.sidecars[instance].replica)

    @rule(instance=INSTANCES)
    def repeat_an_old_epoch(self, instance: str) -> None:
        sidecar = self.sidecars[instance]
        if sidecar.epoch > EPOCH and not sidecar.is_stream_new:
            self.replicas[sidecar.replica].take(counted(1_000, instance=instance, at=self.now), self.now)

    @rule()
    def fall_silent(self) -> None:
        """All streams break, for so long that everybody is forgotten."""
        for name, sidecar in self.sidecars.items():
            if sidecar.has_reported:
                self.report(name)
            sidecar.is_stream_new = True
        self.now += FORGOTTEN_NS + SECOND
        for merge in self.replicas:
            merge.forget(self.now)

    def send(self, instance: str, more: int) -> None:
        sidecar = self.sidecars[instance]
        sidecar.count += more
        self.now += SECOND
        first = sidecar.answered if sidecar.is_stream_new else None
        message = counted(sidecar.count, instance=instance, epoch=sidecar.epoch, at=self.now, baseline=first)
        self.replicas[sidecar.replica].take(message, self.now)
        self.held[sidecar.replica] += sidecar.count - sidecar.reported
        sidecar.reported, sidecar.has_reported, sidecar.is_stream_new = sidecar.count, True, False

    @invariant()
    def totals_are_the_truth(self) -> None:
        assert [total(merge, self.now) for merge in self.replicas] == self.held


def total(merge: Merge, now: int) -> float:
    return sum(point.value for merged in merge.families(now) for point in merged.points.values())


test_totals_are_the_truth = shown(Reports, steps=20)
