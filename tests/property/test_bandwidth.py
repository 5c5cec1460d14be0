"""Bandwidth against what may pass in any stretch of time, and reads against what is worth one."""

from fractions import Fraction

from sidecar.machines.rate_limit import Bandwidth, Wait
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.sequences import initialize, rule, shown

CHUNK = 16 * 1024


class BandwidthMachine:
    """Readers that read when they may, as much as they have, up to what they may."""

    @initialize(rate=drawn.sampled_from([1, 1_000, 65_536, 3_000_001, 20_000_000]))
    def start(self, rate: int) -> None:
        self.rate = rate
        self.room = max(64 * 1024, rate // 20)
        self.bandwidth = Bandwidth(rate)
        self.now_ns = 0
        self.levels = {None: Fraction(self.room), 1: Fraction(self.room)}

    @rule(step_ns=drawn.sampled_from([1, 1_000, 999_999, SECOND_NS // 3, 10 * SECOND_NS]))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns
        for key, level in self.levels.items():
            self.levels[key] = min(Fraction(self.room), level + Fraction(self.rate * step_ns, SECOND_NS))

    @rule(key=drawn.sampled_from([None, 1]), there=drawn.integers(1, 3 * CHUNK))
    def read(self, key: int | None, there: int) -> None:
        least = min(max(1, self.rate // 100), CHUNK)
        allowance = self.bandwidth.allowance(self.now_ns, key)
        level = self.levels[key]
        if isinstance(allowance, Wait):
            missing = (least - level) * SECOND_NS / self.rate
            assert allowance.wait_ns - 1 < missing <= allowance.wait_ns
            return
        assert allowance == min(int(level), CHUNK)
        assert allowance >= least
        count = min(there, allowance)
        self.bandwidth.spend(count, self.now_ns, key)
        self.levels[key] -= count

    @rule(key=drawn.sampled_from([None, 1]))
    def read_all_that_may_be_read(self, key: int | None) -> None:
        """No more than the room, at any instant."""
        for _ in range(self.room // CHUNK + 1):
            self.read(key, CHUNK)
        assert self.levels[key] >= 0


test_what_passes_is_what_the_level_allows = shown(BandwidthMachine)
