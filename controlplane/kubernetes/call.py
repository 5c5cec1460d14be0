"""A request to the API server, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; `accept` and `form` are the content types of the answer and of `body`."""

    method: str = "GET"
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON
    form: str = JSON
    body: object = None
