"""Where the history lies in the store.

A record may be larger than one value may be, so it is kept in pieces. The first piece, number 0, is written
last: what has none is not there.
"""

import re
from typing import Final, NamedTuple

REVISION_KEY: Final = "/breakwater/revision"
"""The newest revision, in decimal; whoever writes a record writes it too, which puts records in order."""

PREFIX: Final = "/breakwater/history/"
RECORDS: Final = f"{PREFIX}records/"
CHECKPOINTS: Final = f"{PREFIX}checkpoints/"

_PIECE: Final = re.compile(r"([0-9]{19})/([0-9]{3})", re.ASCII)


class Place(NamedTuple):
    """One piece of what is kept under a revision; sorts by both."""

    revision: int
    piece: int


def piece_key(folder: str, revision: int, piece: int) -> str:
    """The key of a piece in one of the two folders; keys sort as revisions do."""
    return f"{revision_prefix(folder, revision)}{piece:03d}"


def revision_prefix(folder: str, revision: int) -> str:
    """What the keys of all pieces of a revision begin with."""
    return f"{folder}{revision:019d}/"


def find_place(folder: str, key: str) -> Place | None:
    """The place that a key of `piece_key` stands for; `None` if it is another folder's, or none of ours."""
    match = _PIECE.fullmatch(key.removeprefix(folder)) if key.startswith(folder) else None
    return Place(int(match[1]), int(match[2])) if match else None
