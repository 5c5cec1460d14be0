"""BackpressurePolicy: what happens when a target has more work than it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.sharing import share
from controlplane.model.value import blocks, find_block, find_duration, find_number, find_text
from controlplane.policy import match, target
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Block
    from controlplane.model.value import Tree

KIND: Final = "BackpressurePolicy"
BLOCKS: Final = ("concurrency", "queue", "classes", "fairness", "earlyDetection")

_DEFAULT_CAPACITY: Final = 1000
_DEFAULT_MAX_CAPACITY: Final = 10_000
_DEFAULT_MODE: Final = "DropNewest"
_DEFAULT_MIN: Final = 8
_DEFAULT_MAX: Final = 512
_WHOLE: Final = 100
_UNLESS: Final = "unless somebody says otherwise"
# Figures that have a meaning for one mode, or for some disciplines, alone.
_OF_MODE: Final[Mapping[str, str]] = {
    "blockFor": "Block",
    "maxCapacity": "Buffer",
    "maxBytes": "Buffer",
    "throttleFrom": "Throttle",
}


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a BackpressurePolicy."""
    yield from target.validate(document)
    yield from validate_blocks(document, document.spec, "spec")
    if not any(name in document.spec for name in BLOCKS):
        yield document.problem("spec", f"says nothing; expected one of {', '.join(BLOCKS)}", code=Code.IDLE)


def validate_blocks(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """What is wrong between the fields of the behaviours in `tree`, which stands at `path`."""
    yield from _validate_concurrency(document, tree, path)
    yield from _validate_queue(document, tree, path)
    yield from _validate_early_detection(document, tree, path)
    for index, each in enumerate(blocks(tree, "classes")):
        yield from match.validate_matches(document, each, f"{path}.classes[{index}]")
    yield from match.validate_subjects(document, find_block(tree, "fairness") or {}, f"{path}.fairness")


def behaviours(spec: Tree) -> Tree:
    """The blocks of a spec as merging takes them."""
    return {name: spec[name] for name in BLOCKS if name in spec}


def complete(merged: Tree, block: Block) -> Tree:
    """Merged blocks with every default filled in.

    Bounds of an adaptive limit that cross, as those of two policies or one and a default may, become one:
    `max`, which protects the application, unless nobody names it.
    """
    tree = dict(fill(merged, block))
    adaptive = find_block(tree, "concurrency.adaptive") or {}
    fewest, most = find_number(adaptive, "min"), find_number(adaptive, "max")
    if fewest and most and fewest > most:
        is_named = find_number(merged, "concurrency.adaptive.max") is not None
        bound = {"min": most} if is_named else {"max": fewest}
        tree["concurrency"] = {"adaptive": {**adaptive, **bound}}
    return share(tree)


def _validate_concurrency(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    concurrency = find_block(tree, "concurrency")
    if concurrency is None:
        return
    if not concurrency:
        yield document.problem(f"{path}.concurrency", "names nothing; set limit or adaptive")
    fewest, most = (
        find_number(tree, "concurrency.adaptive.min"),
        find_number(tree, "concurrency.adaptive.max"),
    )
    if fewest and most and fewest > most:
        yield document.problem(
            f"{path}.concurrency.adaptive.min", f"expected at most max ({most}), found {fewest}"
        )
    elif fewest and not most and fewest > _DEFAULT_MAX:
        message = f"is above max, which is {_DEFAULT_MAX} {_UNLESS}, so that the limit never moves"
        yield document.problem(f"{path}.concurrency.adaptive.min", message, code=Code.IDLE)
    elif most and not fewest and most < _DEFAULT_MIN:
        message = f"is below min, which is {_DEFAULT_MIN} {_UNLESS}, so that the limit never moves"
        yield document.problem(f"{path}.concurrency.adaptive.max", message, code=Code.IDLE)


def _validate_queue(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    queue = find_block(tree, "queue")
    if queue is None:
        return
    mode = find_text(queue, "mode") or _DEFAULT_MODE
    default = "" if "mode" in queue else f", which it is {_UNLESS}"
    for name, needed in _OF_MODE.items():
        if name in queue and mode != needed:
            message = f"has no meaning with mode {mode}{default}, only with {needed}"
            yield document.problem(f"{path}.queue.{name}", message, code=Code.IDLE)
    if "codel" in queue and find_text(queue, "discipline") in {"", "Fifo"}:
        default = "" if "discipline" in queue else f", which it is {_UNLESS}"
        message = f"has no meaning with discipline Fifo{default}"
        yield document.problem(f"{path}.queue.codel", message, code=Code.IDLE)
    if mode == "Throttle" and queue.get("throttleFrom") == _WHOLE:
        message = "a queue that is full refuses by itself; expected less than 100"
        yield document.problem(f"{path}.queue.throttleFrom", message, code=Code.IDLE)
    yield from _validate_bounds(document, queue, f"{path}.queue", mode)


def _validate_bounds(document: Document, queue: Tree, path: str, mode: str) -> Iterator[Problem]:
    begin, end = find_number(queue, "capacity"), find_number(queue, "maxCapacity")
    capacity, most = begin or _DEFAULT_CAPACITY, end or _DEFAULT_MAX_CAPACITY
    if mode == "Buffer" and capacity > most:
        text = f"expected at most maxCapacity ({most}), where growing ends, found {capacity}"
        if begin and end:
            yield document.problem(f"{path}.capacity", text)
        elif begin:
            text = f"is above maxCapacity, which is {most} {_UNLESS}, and where growing ends"
            yield document.problem(f"{path}.capacity", text, code=Code.IDLE)
        else:
            text = f"is below capacity, which is {capacity} {_UNLESS}, so that nothing grows"
            yield document.problem(f"{path}.maxCapacity", text, code=Code.IDLE)
    wait, interval = find_duration(queue, "codel.target"), find_duration(queue, "codel.interval")
    if wait and interval and wait > interval:
        yield document.problem(
            f"{path}.codel.target",
            f"expected at most interval ({interval}), found {wait}",
            code=Code.BACKWARDS,
        )


def _validate_early_detection(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    background = find_duration(tree, "earlyDetection.shedBackgroundBelow")
    sheddable = find_duration(tree, "earlyDetection.shedSheddableBelow")
    if background is not None and sheddable is not None and sheddable > background:
        yield document.problem(
            f"{path}.earlyDetection.shedSheddableBelow",
            f"sheds sheddable requests before background ones ({background})",
            code=Code.IDLE,
        )
