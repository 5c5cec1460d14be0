"""How records and sets are kept: as compressed JSON, cut into pieces that every store takes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from controlplane.errors import HistoryError
from controlplane.history.fingerprint import total
from controlplane.history.record import Item, PolicySet, Record
from controlplane.model.document import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECE_BYTES: Final = 512 << 10
"""A third of what etcd takes in one request by default."""

_COUNT_BYTES: Final = 2  # what the first piece begins with: how many there are
_T = TypeVar("_T")


def encode_record(record: Record) -> tuple[bytes, ...]:
    """The pieces of a record, the first first."""
    return _encode(record)


def decode_record(pieces: Sequence[bytes]) -> Record:
    """The record in its pieces.

    Raises:
        HistoryError: they hold none.
    """
    return _decode(pieces, Record)


def encode_set(policies: PolicySet) -> tuple[bytes, ...]:
    """The pieces of a whole set, the first first."""
    return _encode(list(policies.items.items()))


def decode_set(pieces: Sequence[bytes]) -> PolicySet:
    """The set in its pieces.

    Raises:
        HistoryError: they hold none.
    """
    items = dict(_decode(pieces, list[tuple[ObjectKey, Item]]))
    return PolicySet(items=items, fingerprint=total(added=(item.fingerprint for item in items.values())))


def piece_count(first: bytes) -> int:
    """How many pieces there are, as the first one says."""
    return int.from_bytes(first[:_COUNT_BYTES])


def _encode(value: object) -> tuple[bytes, ...]:
    packed = zlib.compress(msgspec.json.encode(value))
    first, *others = (packed[start : start + PIECE_BYTES] for start in range(0, len(packed), PIECE_BYTES))
    return (1 + len(others)).to_bytes(_COUNT_BYTES) + first, *others


def _decode(pieces: Sequence[bytes], kind: type[_T]) -> _T:
    packed = pieces[0][_COUNT_BYTES:] + b"".join(pieces[1:])
    try:
        return msgspec.json.decode(zlib.decompress(packed), type=kind)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise HistoryError(f"expected a part of the history of policies, found: {error}") from error
