"""What in a pod with a sidecar is worth a word: it may get around the sidecar, or cut its leaving short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controlplane.injector import names
from controlplane.injector.pod import CONTAINERS, Pod, block, entries, user_of
from controlplane.injector.template import USER
from controlplane.model.codes import Code
from controlplane.model.document import Problem
from controlplane.policy.sidecar_profile import Capture, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UNDOING: Final = {"ALL": "change the rules", "NET_ADMIN": "change the rules", "NET_RAW": "send past them"}
"""Capabilities by which a container gets around the rules that lead its traffic to the sidecar, and how."""

_GRACE_SECONDS: Final = 30
"""What Kubernetes gives a pod that does not say."""


def find(pod: Pod, profile: Profile) -> Iterator[Problem]:
    """What is worth a word of a pod that gets a sidecar; the pod is the one without it."""
    if profile.capture is Capture.REDIRECT:
        yield from _undoing(pod, CONTAINERS)
    yield from _grace(pod, profile.drain_delay_seconds + profile.drain_timeout_seconds)


def find_injected(pod: Pod) -> Iterator[Problem]:
    """What is worth a word of a pod that has one, and runs; errors among it would not be injected again."""
    if any(one.get("name") == names.CAPTURE for one in entries(block(pod, "spec"), "initContainers")):
        lists = (*CONTAINERS, "ephemeralContainers")
        yield from _undoing(pod, lists)
        yield from _same_user(pod, lists)
    yield from _grace(pod, _leaving_seconds(pod))


def _others(pod: Pod, lists: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in lists:
        for index, container in enumerate(entries(block(pod, "spec"), name)):
            if container.get("name") not in (names.SIDECAR, names.CAPTURE):
                yield f"spec.{name}[{index}].securityContext", container


def _undoing(pod: Pod, lists: tuple[str, ...]) -> Iterator[Problem]:
    for path, container in _others(pod, lists):
        context = block(container, "securityContext")
        if context.get("privileged") is True:
            message = (
                f"container {container.get('name')} is privileged, and can change the rules of redirection"
            )
            yield Problem(path=f"{path}.privileged", message=message, code=Code.CAPTURE_UNDOABLE)
            continue
        added = block(context, "capabilities").get("add")
        for asked in added if isinstance(added, list) else ():
            if how := _UNDOING.get(str(asked).upper().removeprefix("CAP_")):
                message = f"container {container.get('name')} has {asked}, and can {how} of redirection"
                yield Problem(path=f"{path}.capabilities.add", message=message, code=Code.CAPTURE_UNDOABLE)


def _same_user(pod: Pod, lists: tuple[str, ...]) -> Iterator[Problem]:
    for path, container in _others(pod, lists):
        if user_of(pod, container) == USER:
            message = (
                f"container {container.get('name')} runs as user {USER}, whose traffic is not redirected"
            )
            yield Problem(path=f"{path}.runAsUser", message=message, code=Code.USER_CLASH)


def _grace(pod: Pod, leaving_seconds: int) -> Iterator[Problem]:
    grace = block(pod, "spec").get("terminationGracePeriodSeconds", _GRACE_SECONDS)
    if isinstance(grace, int) and grace < leaving_seconds:
        message = (
            f"leaving takes up to {leaving_seconds} s (drain.delay and drain.timeout), the pod has {grace} s"
        )
        yield Problem(path="spec.terminationGracePeriodSeconds", message=message, code=Code.GRACE_TOO_SHORT)


def _leaving_seconds(pod: Pod) -> int:
    """How long the sidecar of a pod takes at most, as it was told."""
    found = [one for name in CONTAINERS for one in entries(block(pod, "spec"), name)]
    told = [
        str(word)
        for one in found
        if one.get("name") == names.SIDECAR
        for words in (one.get("args"), block(one, "lifecycle", "preStop", "exec").get("command"))
        for word in (words if isinstance(words, list) else ())
    ]
    texts = [word.partition("=")[2] for word in told if word.startswith(("--after=", "--drain-timeout="))]
    return sum(int(text) for text in texts if text.isdecimal() and text.isascii())
