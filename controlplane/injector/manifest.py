"""YAML in which pods are described, by themselves or inside of workloads, to YAML with the sidecar put in.

What is no workload, and what gets no sidecar, comes out letter by letter as it went in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from controlplane.injector.operations import apply
from controlplane.injector.patch import Patch
from controlplane.injector.pod import Pod, block

_BREAK: Final = re.compile(r"^---(?=\s|$)[^\n]*\n?", re.MULTILINE)
_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        ("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"),
        ("spec", "template"),
    ),
}
Change: TypeAlias = Callable[[Pod, str], Patch]
"""What to do with a pod of a namespace."""


class UnreadableManifestError(ValueError):
    """Text that is no YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one object: its kind and name, and the patch of its pod; `None` where it has none."""

    object: str
    patch: Patch | None


def rewrite(text: str, change: Change) -> tuple[str, list[Outcome]]:
    """The text after `change` was made to every pod in it, and what became of each object.

    Raises:
        UnreadableManifestError: a document is no YAML.
    """
    outcomes: list[Outcome] = []
    parts = [_rewritten(part, change, outcomes) for part in _documents(text)]
    return "".join(parts), outcomes


def _documents(text: str) -> Iterator[str]:
    """The documents of a text, each with the break before it."""
    start = 0
    for found in _BREAK.finditer(text):
        if text[start : found.start()]:
            yield text[start : found.start()]
        start = found.start()
    yield text[start:]


def _rewritten(part: str, change: Change, outcomes: list[Outcome]) -> str:
    try:
        document = yaml.safe_load(part)
    except yaml.YAMLError as error:
        raise UnreadableManifestError(" ".join(str(error).split())) from error
    changed = _change(document, change, outcomes) if isinstance(document, Mapping) else document
    if changed == document:
        return part
    mark = "---\n" if part.startswith("---") else ""
    return mark + yaml.safe_dump(changed, sort_keys=False)


def _change(document: Mapping[str, Any], change: Change, outcomes: list[Outcome]) -> Mapping[str, Any]:
    kind = document.get("kind")
    if kind == "List" and isinstance(document.get("items"), list):
        items = [
            _change(one, change, outcomes) if isinstance(one, Mapping) else one for one in document["items"]
        ]
        return {**document, "items": items}
    metadata = block(document, "metadata")
    name = f"{str(kind).lower()}/{metadata.get('name') or metadata.get('generateName', '')}"
    if kind not in _TEMPLATES:
        outcomes.append(Outcome(object=name, patch=None))
        return document
    path = _TEMPLATES[str(kind)]
    patch = change(block(document, *path), str(metadata.get("namespace", "")))
    outcomes.append(Outcome(object=name, patch=patch))
    return _replaced(document, path, lambda pod: apply(pod, patch.operations))


def _replaced(
    tree: Mapping[str, Any], path: tuple[str, ...], replace: Callable[[Pod], Pod]
) -> Mapping[str, Any]:
    if not path:
        return replace(tree)
    name, *rest = path
    return {**tree, name: _replaced(block(tree, name), tuple(rest), replace)}
