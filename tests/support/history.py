"""Builders of items, records and what is stored of them."""

from datetime import UTC, datetime

from controlplane.history.fingerprint import Fingerprint
from controlplane.history.ledger import Summary
from controlplane.history.record import Cause, Item, Origin
from controlplane.model.document import ObjectKey

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
FILE = Cause(origin=Origin.FILE)


def key(name: str) -> ObjectKey:
    """Return the key of a policy in namespace `shop`."""
    return ObjectKey("ResiliencePolicy", "shop", name)


def item(text: str, *, source: str = "admin") -> Item:
    """Return an object whose text stands for all it says."""
    fingerprint = Fingerprint(text.encode().ljust(32, b"\0")[:32])
    return Item(text=text, source=source, fingerprint=fingerprint)


def summary(revision: int, fingerprint: Fingerprint) -> Summary:
    """Return what is remembered of a record after which the set was the one with this fingerprint."""
    return Summary(revision=revision, at=AT, cause=FILE, fingerprint=fingerprint, counts={}, first=())
