"""The HTTP/1 corpus of `tests/testdata/http1`, read as its README describes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent.parent / "testdata" / "http1"

_REPEATED = re.compile(rb"\\\{(\d+)\*([^}]*)\}")
_ESCAPED = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


each_way = pytest.mark.parametrize("step_bytes", [None, 1], ids=["at_once", "one_byte"])
each_half = pytest.mark.parametrize("half", ["inbound", "outbound"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: what is sent, and how it has to end.

    `accepted` counts whole messages that pass. A refusal has its `status`, and `is_in_body` when the head had
    already passed. What is neither is cut short by its sender. `asked` is the method that a response answers,
    `asked_upgrade` whether the request asked to switch protocols.
    """

    name: str
    row: str
    sent: bytes
    accepted: int = 0
    status: int | None = None
    is_in_body: bool = False
    body: bytes | None = None
    asked: str = "GET"
    asked_upgrade: bool = False


def each(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Return what runs a test once for each case, under its name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def read_cases(file: str) -> tuple[Case, ...]:
    """Return the cases of one file, in its order.

    Raises:
        ValueError: A case says what the README does not describe.
    """
    blocks = re.split(r"\n\s*\n", (CORPUS / file).read_text())
    return tuple(parse_case(lines) for block in blocks if (lines := _lines(block)))


def parse_case(lines: list[str]) -> Case:
    """Return the case that `key: value` lines describe."""
    keys = dict(line.split(": ", 1) for line in lines)
    asked, _, upgrade = keys.get("asked", "GET").partition(" ")
    case = Case(
        name=keys["case"],
        row=keys["row"],
        sent=unescape(keys["bytes"]),
        body=unescape(keys["body"]) if "body" in keys else None,
        asked=asked,
        asked_upgrade=upgrade == "upgrade",
    )
    match keys["expect"].split():
        case ["accept", count]:
            return replace(case, accepted=int(count))
        case ["refuse", status, _]:
            return replace(case, status=int(status))
        case ["refuse", status, _, "in", "body"]:
            return replace(case, status=int(status), is_in_body=True)
        case ["cut"]:
            return case
        case unknown:
            raise ValueError(f"{case.name}: expected an outcome, found {unknown}")


def unescape(text: str) -> bytes:
    """Return the bytes that an escaped value stands for."""
    repeated = _REPEATED.sub(lambda found: int(found[1]) * found[2], text.encode())
    return _ESCAPED.sub(lambda found: _byte(found[1]), repeated)


def _byte(escape: bytes) -> bytes:
    return bytes.fromhex(escape[1:].decode()) if escape[:1] == b"x" else _ESCAPES[escape]


def _lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line and not line.startswith("#")]
