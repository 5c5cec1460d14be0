"""How much history is kept, as gauges read when Prometheus asks."""

from collections.abc import Callable, Iterator

from controlplane.history.ledger import Ledger
from registry.families import Family, gauge

_PREFIX = "breakwater_controlplane_history_"


class HistoryCollector:
    """Gauges of the history, and of the set in force that it may not know yet."""

    def __init__(self, ledger: Callable[[], Ledger], is_recorded: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._is_recorded = is_recorded

    def collect(self) -> Iterator[Family]:
        """One gauge per figure."""
        ledger = self._ledger()
        yield _gauge("revision", "Newest revision that the store has a record of.", ledger.revision)
        yield _gauge("records", "Revisions whose records are kept.", len(ledger.summaries))
        yield _gauge("bytes", "Size of the records as they are stored.", sum(ledger.sizes.values()))
        yield _gauge("recorded", "1 while the set in force is recorded.", self._is_recorded())


def _gauge(name: str, documentation: str, value: float) -> Family:
    return gauge(_PREFIX + name, documentation, value)
