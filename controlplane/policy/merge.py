"""Merging: what the policies of all levels say together, and which of them said it (GEP-713).

Contributions are folded from the most specific to the broadest. One that states defaults fills in what is
not said yet; one that states overrides replaces what is. `Patch` does so field by field, `Atomic` block by
block, a block being one of the spec's own, such as `timeouts`. Among contributions of one specificity the
older wins: defaults are folded older first, then overrides newer first.

Lists and maps are fields: they are taken whole. Of fields that exclude each other the winner's is kept alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from controlplane.model.effective import FieldOrigin
from controlplane.model.value import Map

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.model.effective import PolicyRef
    from controlplane.model.schema import Block
    from controlplane.model.value import Tree, Value

Path: TypeAlias = tuple[str, ...]
DEFAULT_LEVEL: Final = "Default"
_MAX_SHARED: Final = 4_096  # paths of a schema, of which there are hundreds


class Strategy(Enum):
    """How a contribution combines with more specific ones, as written in `merge`."""

    PATCH_DEFAULTS = "PatchDefaults"
    ATOMIC_DEFAULTS = "AtomicDefaults"
    PATCH_OVERRIDES = "PatchOverrides"
    ATOMIC_OVERRIDES = "AtomicOverrides"

    @property
    def overrides(self) -> bool:
        """Whether it wins over what is more specific."""
        return self in {Strategy.PATCH_OVERRIDES, Strategy.ATOMIC_OVERRIDES}

    @property
    def atomic(self) -> bool:
        """Whether it takes or leaves whole blocks."""
        return self in {Strategy.ATOMIC_DEFAULTS, Strategy.ATOMIC_OVERRIDES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one policy says about one target.

    The greater `specificity` is the more specific; of equal ones the smaller `age` is the older.
    """

    policy: PolicyRef
    level: str
    strategy: Strategy
    specificity: tuple[int, ...]
    age: tuple[object, ...]
    settings: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What all contributions say together: a tree, and who said each leaf of it."""

    tree: Tree
    origins: Mapping[Path, FieldOrigin]


def merge(contributions: Iterable[Contribution], block: Block) -> Merged:
    """The settings that hold, and the origin of every one; `block` is what they are written in."""
    said: _Said = {}
    for contribution in fold_order(contributions):
        leaves = dict(_leaves(contribution.settings))
        origin = contribution.policy, contribution.level
        if contribution.strategy.overrides:
            _override(said, leaves, origin, block, atomic=contribution.strategy.atomic)
        else:
            _fill(said, leaves, origin, block, atomic=contribution.strategy.atomic)
    origins = {
        path: FieldOrigin(path=_dotted(path), policy=policy, level=level)
        for path, (_, (policy, level)) in said.items()
    }
    return Merged(tree=_tree(said), origins=origins)


def trace(tree: Tree, origins: Mapping[Path, FieldOrigin]) -> tuple[FieldOrigin, ...]:
    """The origin of every value of a completed `tree`, sorted by path; what nobody said is a default.

    A block that somebody wrote as {} has an origin of its own: it is there for its defaults.
    """
    defaults = (_default_origin(path) for path, value in _leaves(tree) if path not in origins and value != {})
    return tuple(sorted([*origins.values(), *defaults], key=lambda origin: origin.path))


def said_paths(tree: Tree) -> frozenset[str]:
    """The path of everything that `tree` says: values that are no blocks, and blocks written as {}."""
    return frozenset(_dotted(path) for path, _ in _leaves(tree))


@lru_cache(_MAX_SHARED)
def _default_origin(path: Path) -> FieldOrigin:
    """The origin of what nobody said, one for all targets."""
    return FieldOrigin(path=_dotted(path), policy=None, level=DEFAULT_LEVEL)


@lru_cache(_MAX_SHARED)
def _dotted(path: Path) -> str:
    return ".".join(path)


_Origin: TypeAlias = "tuple[PolicyRef, str]"
_Said: TypeAlias = "dict[Path, tuple[Value, _Origin]]"


def fold_order(contributions: Iterable[Contribution]) -> list[Contribution]:
    """The contributions in the order of their turns."""
    levels: dict[tuple[int, ...], list[Contribution]] = {}
    for contribution in contributions:
        levels.setdefault(contribution.specificity, []).append(contribution)
    order: list[Contribution] = []
    for specificity in sorted(levels, reverse=True):
        oldest_first = sorted(levels[specificity], key=lambda contribution: contribution.age)
        order += [each for each in oldest_first if not each.strategy.overrides]
        order += [each for each in reversed(oldest_first) if each.strategy.overrides]
    return order


def _fill(said: _Said, leaves: dict[Path, Value], origin: _Origin, block: Block, *, atomic: bool) -> None:
    present = {path[0] for path in said} if atomic else set()
    before = set(said)
    for path, value in leaves.items():
        if path[0] not in present and not any(_within(before, _excluded(block, path))):
            said.setdefault(path, (value, origin))


def _override(said: _Said, leaves: dict[Path, Value], origin: _Origin, block: Block, *, atomic: bool) -> None:
    if atomic:
        replaced = {path[0] for path in leaves}
        for path in [path for path in said if path[0] in replaced]:
            del said[path]
    for path, value in leaves.items():
        for other in list(_within(said, _excluded(block, path))):
            del said[other]
        said[path] = (value, origin)


def _excluded(block: Block, path: Path) -> set[Path]:
    """The fields and blocks that cannot be said beside `path`."""
    excluded: set[Path] = {(name,) for name in block.siblings(path[0])}
    if len(path) == 1:
        return excluded
    inner = block.fields[path[0]].block
    assert inner is not None  # noqa: S101  # a path goes through blocks
    return excluded | {(path[0], *other) for other in _excluded(inner, path[1:])}


def _within(said: Iterable[Path], places: set[Path]) -> Iterator[Path]:
    """Which of the paths said are at or under one of these places."""
    if places:
        yield from (path for path in said if any(path[: len(place)] == place for place in places))


def _leaves(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """Every value that is no block, and every empty block, since its presence is something said."""
    for name, value in tree.items():
        if isinstance(value, dict) and value and not isinstance(value, Map):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _tree(said: _Said) -> Tree:
    root: dict[str, Value] = {}
    for path, (value, _) in said.items():
        block = root
        for name in path[:-1]:
            inner = block.setdefault(name, {})
            assert isinstance(inner, dict)  # noqa: S101  # a path goes through blocks
            block = inner
        if value == {}:
            block.setdefault(path[-1], {})
        else:
            block[path[-1]] = value
    return root
