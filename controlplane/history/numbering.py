"""The revision of the set that one replica has in force.

Theory of operation. A set is delivered at once, so it gets a number before the store has heard of it: that of
the record with the same set, if another replica was first, or else the next one, which is then *owed* to the
history. Only a replica whose own set changed owes: replicas that read different files do not answer each
other's records without end. A number never goes back, not even when the store does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

JUMP_MAX: Final = 1_000_000
"""More revisions than anybody's backup is old."""

if TYPE_CHECKING:
    from controlplane.history.fingerprint import Fingerprint
    from controlplane.history.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """The set in force, by its fingerprint, its revision, and whether the history has still to hear of it."""

    fingerprint: Fingerprint | None = None
    revision: int = 0
    is_owed: bool = False


def change(numbering: Numbering, fingerprint: Fingerprint, ledger: Ledger) -> Numbering:
    """The numbering once another set is in force."""
    if fingerprint == numbering.fingerprint:
        return numbering
    changed = replace(numbering, fingerprint=fingerprint, is_owed=True)
    since = ledger.revision if numbering.fingerprint is None else numbering.revision + 1
    revision = _recorded(changed, ledger, since)
    if revision is not None:
        return replace(changed, revision=revision, is_owed=False)
    return replace(changed, revision=max(ledger.newest, numbering.revision) + 1)


def hear(numbering: Numbering, ledger: Ledger) -> Numbering:
    """The numbering once more was recorded, or the store went back."""
    if (revision := _recorded(numbering, ledger, numbering.revision)) is not None:
        return replace(numbering, revision=revision, is_owed=False)
    if numbering.is_owed:
        return replace(numbering, revision=max(ledger.newest + 1, numbering.revision))
    return replace(numbering, is_owed=ledger.revision < numbering.revision)


def exceed(numbering: Numbering, seen: int) -> Numbering:
    """The numbering once a sidecar told of a revision that another set had, before the store went back.

    One that is absurdly far ahead is not believed, so that nobody makes us run out of numbers.
    """
    if not numbering.revision < seen <= numbering.revision + JUMP_MAX:
        return numbering
    return replace(numbering, revision=seen + 1, is_owed=True)


def _recorded(numbering: Numbering, ledger: Ledger, since: int) -> int | None:
    """The revision of a record of this very set: the newest, or else the oldest since `since`."""
    fingerprint = numbering.fingerprint
    if fingerprint is None:
        return None
    if ledger.policies.fingerprint == fingerprint and ledger.revision >= since:
        return ledger.revision
    return ledger.revision_of(fingerprint, since)
