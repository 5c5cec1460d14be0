"""FaultPolicy: rehearsals, until a fixed instant."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.effective import PolicyRef
from controlplane.model.resource import FaultRules
from controlplane.model.value import find_duration
from controlplane.policy import match, target
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Schema

KIND: Final = "FaultPolicy"
EFFECTS: Final = ("delay", "abort", "bandwidth")

_SETTINGS: Final = ("percent", *EFFECTS, "match", "merge")


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a FaultPolicy."""
    yield from target.validate(document)
    yield from match.validate_matches(document, document.spec, "spec")
    if not any(name in document.spec for name in EFFECTS):
        yield document.problem("spec", f"does nothing; expected one of {', '.join(EFFECTS)}")
    if document.spec.get("percent") == 0:
        yield document.problem("spec.percent", "meets no request", code=Code.IDLE)
    if "abort" in document.spec and "bandwidth" in document.spec:
        message = "has no effect beside abort: what is aborted gets no answer to slow down"
        yield document.problem("spec.bandwidth", message, code=Code.IDLE)


def find_end(document: Document) -> datetime | None:
    """When the rehearsal is over; `None` for one whose beginning nobody knows, which never acts."""
    length = find_duration(document.spec, "expiresAfter")
    if length is None or document.begun_at is None:
        return None
    return document.begun_at + timedelta(microseconds=length.nanoseconds // 1000)


def compile_rules(
    document: Document, callers: Iterable[target.Caller], schema: Schema, specificity: int
) -> FaultRules | None:
    """The rehearsal as callers' sidecars take it, every default filled in; `None` for one that never acts."""
    until = find_end(document)
    if until is None:
        return None
    spec = fill(document.spec, schema.kinds[KIND].spec)
    return FaultRules(
        policy=PolicyRef(key=document.key, generation=document.generation),
        callers=target.matches(callers),
        settings={name: spec[name] for name in _SETTINGS if name in spec},
        until=until,
        specificity=specificity,
        age=document.age,
        is_shadow=target.is_in_shadow(document),
    )
