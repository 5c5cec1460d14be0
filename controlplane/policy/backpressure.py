"""BackpressurePolicy: what happens when a target has more work than it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.value import blocks, find_block, find_duration, find_number, find_text
from controlplane.policy import match, target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.model.document import Document, Problem
    from controlplane.model.value import Tree

KIND: Final = "BackpressurePolicy"
BLOCKS: Final = ("concurrency", "queue", "classes", "fairness", "earlyDetection")

_DEFAULT_CAPACITY: Final = 1000
_DEFAULT_MAX_CAPACITY: Final = 10_000
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


def _validate_queue(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    queue = find_block(tree, "queue")
    if queue is None:
        return
    mode = find_text(queue, "mode")
    for name, needed in _OF_MODE.items():
        if name in queue and mode and mode != needed:
            yield document.problem(
                f"{path}.queue.{name}", f"has no meaning with mode {mode}, only with {needed}", code=Code.IDLE
            )
    if "codel" in queue and find_text(queue, "discipline") == "Fifo":
        yield document.problem(f"{path}.queue.codel", "has no meaning with discipline Fifo", code=Code.IDLE)
    yield from _validate_bounds(document, queue, f"{path}.queue", mode)


def _validate_bounds(document: Document, queue: Tree, path: str, mode: str) -> Iterator[Problem]:
    capacity = find_number(queue, "capacity") or _DEFAULT_CAPACITY
    most = find_number(queue, "maxCapacity") or _DEFAULT_MAX_CAPACITY
    if mode == "Buffer" and capacity > most:
        yield document.problem(
            f"{path}.capacity", f"expected at most maxCapacity ({most}), where growing ends, found {capacity}"
        )
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
