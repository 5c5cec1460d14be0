"""Which services changed after a revision, as far back as it is remembered."""

from collections.abc import Iterable
from typing import Final

from registry.model import Revision, ServiceName

NAMES_MAX: Final = 20_000
"""Twice as many services as the catalogue is built for, since those that are gone count, too."""


class Changelog:
    """The last change of every service that changed after the revision it begins at."""

    def __init__(self, since: Revision) -> None:
        self._since = since
        self._changed: dict[ServiceName, Revision] = {}  # least recent first

    def note(self, names: Iterable[ServiceName], revision: Revision) -> None:
        """Remembers that services changed at `revision`; past `NAMES_MAX` the least recent is forgotten."""
        for name in names:
            self._changed.pop(name, None)
            self._changed[name] = revision
        while len(self._changed) > NAMES_MAX:
            self._since = self._changed.pop(next(iter(self._changed)))

    def after(self, revision: Revision) -> frozenset[ServiceName] | None:
        """What changed after `revision`, or `None` when that is further back than what is remembered."""
        if revision < self._since:
            return None
        return frozenset(name for name, at in self._changed.items() if at > revision)
