"""Totals against the plain truth, while sidecars count, repeat themselves, restart, fall silent, return."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controlplane.telemetry.merge import FORGOTTEN_NS, Merge
from tests.support.reports import EPOCH, SECOND, counted

INSTANCES = st.sampled_from(("cart-0", "cart-1", "cart-2"))


class Reports(RuleBasedStateMachine):
    """Every sidecar reports whatever it has counted before it restarts, so that nothing is lost unseen."""

    def __init__(self) -> None:
        super().__init__()
        self.merge = Merge()
        self.now = EPOCH + SECOND
        self.epochs = dict.fromkeys(("cart-0", "cart-1", "cart-2"), EPOCH)
        self.counts = dict.fromkeys(self.epochs, 0)
        self.reported = dict.fromkeys(self.epochs, 0)
        self.is_known = dict.fromkeys(self.epochs, False)
        self.last = dict.fromkeys(self.epochs, self.now)
        self.truth = 0

    @rule(instance=INSTANCES, more=st.integers(0, 5))
    def count(self, instance: str, more: int) -> None:
        self.counts[instance] += more

    @rule(instance=INSTANCES)
    def report(self, instance: str) -> None:
        """What was counted while a sidecar was forgotten has no known beginning, and is left out."""
        is_remembered = self.now - self.last[instance] <= FORGOTTEN_NS
        if is_remembered or not self.is_known[instance]:
            self.truth += self.counts[instance] - self.reported[instance]
        self.reported[instance] = self.counts[instance]
        self.is_known[instance] = True
        self.last[instance] = self.now
        self.merge.take(
            counted(self.counts[instance], instance=instance, epoch=self.epochs[instance]), self.now
        )

    @rule(instance=INSTANCES)
    def restart(self, instance: str) -> None:
        self.report(instance)
        self.now += SECOND
        self.epochs[instance] = self.now
        self.counts[instance] = self.reported[instance] = 0
        self.is_known[instance] = False

    @rule(instance=INSTANCES)
    def repeat_an_old_epoch(self, instance: str) -> None:
        if self.epochs[instance] > EPOCH and self.is_known[instance]:
            self.merge.take(counted(1_000, instance=instance), self.now)

    @rule(seconds=st.sampled_from((2, 60, 601)))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.merge.forget(self.now)

    @invariant()
    def totals_are_the_truth(self) -> None:
        found = (point.value for merged in self.merge.families(self.now) for point in merged.points.values())
        assert sum(found) == self.truth


TestReports = Reports.TestCase
TestReports.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
