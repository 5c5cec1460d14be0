"""The kinds there are: one line registers each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.policy import (
    backpressure,
    external_service,
    fault,
    mesh,
    rate_limit,
    reference_grant,
    resilience,
    route,
    sidecar_profile,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from controlplane.model.document import Document, Problem

_VALIDATORS: Final[Mapping[str, Callable[[Document], Iterator[Problem]]]] = {
    resilience.KIND: resilience.validate,
    rate_limit.KIND: rate_limit.validate,
    backpressure.KIND: backpressure.validate,
    fault.KIND: fault.validate,
    mesh.KIND: mesh.validate,
    external_service.KIND: external_service.validate,
    sidecar_profile.KIND: sidecar_profile.validate,
    reference_grant.KIND: reference_grant.validate,
    route.HTTP: route.validate,
    route.GRPC: route.validate,
}


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of one document, each of which is sound by itself."""
    return _VALIDATORS[document.key.kind](document)
