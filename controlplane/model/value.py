"""Values as policies hold them: plain frozen trees, with durations and maps as types of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeAlias

_UNITS: Final = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000}
_SIZE_UNITS: Final = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_DURATION: Final = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}", re.ASCII)  # GEP-2257
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|h|m|s)", re.ASCII)
_SIZE: Final = re.compile(r"([0-9]{1,18})(|Ki|Mi|Gi)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in whole nanoseconds; its text is that of GEP-2257."""

    nanoseconds: int

    def __str__(self) -> str:
        rest, text = self.nanoseconds, ""
        for unit, size in _UNITS.items():
            count, rest = divmod(rest, size)
            text += f"{count}{unit}" if count else ""
        return text or "0s"

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.nanoseconds / 1e9


Value: TypeAlias = "str | int | float | bool | Duration | tuple[Value, ...] | Mapping[str, Value]"
Tree: TypeAlias = Mapping[str, Value]


class Map(dict[str, Value]):
    """Values under names of the author's own; merging takes it whole, and a block field by field."""

    def __repr__(self) -> str:
        return f"Map({super().__repr__()})"


def parse_duration(text: str) -> Duration:
    """The duration that `text` writes, such as 250ms or 1m30s.

    Raises:
        ValueError: it is not one of GEP-2257.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"no duration: {text!r}")
    return Duration(sum(int(count) * _UNITS[unit] for count, unit in _DURATION_PART.findall(text)))


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """The block of addresses that `text` writes, also as an address in it.

    Raises:
        ValueError: it is none, or names an interface beside, as in fe80::1%eth0, which may be any text.
    """
    if "%" in text:
        raise ValueError(f"expected an address without an interface: {text!r}")
    return ip_network(text, strict=False)


def parse_size(text: str) -> int:
    """The bytes that `text` writes, such as 65536 or 64Ki.

    Raises:
        ValueError: it is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"no size: {text!r}")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def size_text(size: int) -> str:
    """The shortest way to write a number of bytes, such as 64Ki."""
    unit = next(unit for unit in ("Gi", "Mi", "Ki", "") if size % _SIZE_UNITS[unit] == 0)
    return f"{size // _SIZE_UNITS[unit]}{unit}" if size else "0"


def find(tree: Tree, path: str) -> Value | None:
    """What `tree` holds at a path of names such as `timeouts.perTry`, or `None`."""
    value: Value | None = tree
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def find_block(tree: Tree, path: str) -> Tree | None:
    """The block at `path`, or `None`."""
    value = find(tree, path)
    return value if isinstance(value, Mapping) else None


def find_text(tree: Tree, path: str) -> str:
    """The string at `path`, or the empty one."""
    value = find(tree, path)
    return value if isinstance(value, str) else ""


def find_number(tree: Tree, path: str) -> int | None:
    """The integer at `path`, or `None`."""
    value = find(tree, path)
    return value if isinstance(value, int) else None


def find_duration(tree: Tree, path: str) -> Duration | None:
    """The duration at `path`, or `None`."""
    value = find(tree, path)
    return value if isinstance(value, Duration) else None


def blocks(tree: Tree, name: str) -> tuple[Tree, ...]:
    """The blocks listed under `name`, in order; none if it is absent."""
    value = tree.get(name, ())
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, tuple) else ()


def texts(tree: Tree, name: str) -> tuple[str, ...]:
    """The strings listed under `name`, in order; none if it is absent."""
    value = tree.get(name, ())
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ()
