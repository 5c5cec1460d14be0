"""The status that the control plane writes, of every kind alike."""

from tests.support.crds.scalars import OpenApi

_MAX_ANCESTORS = 16


def status_schema(*, is_attached: bool) -> OpenApi:
    """Return the schema of `status`; kinds that attach to targets say how each of them fares."""
    fields: OpenApi = {
        "observedGeneration": _integer("Generation of the spec that this status is about."),
        "synced": _text("Sidecars that apply it, of those that should, as in 41/41.", 32),
        "conditions": _conditions(),
    }
    if is_attached:
        fields["ancestors"] = _ancestors()
    return {
        "type": "object",
        "description": "What became of it. Written by the control plane.",
        "properties": fields,
    }


def _conditions() -> OpenApi:
    fields: OpenApi = {
        "type": _text("Accepted, Programmed or Synced.", 316),
        "status": {
            "type": "string",
            "enum": ["True", "False", "Unknown"],
            "description": "Whether it holds.",
        },
        "reason": _text("Why, in one word.", 1024),
        "message": _text("Why, in a sentence.", 32768),
        "observedGeneration": _integer("Generation of the spec that it was judged by."),
        "lastTransitionTime": {
            "type": "string",
            "format": "date-time",
            "description": "When the status last changed.",
        },
    }
    return {
        "type": "array",
        "description": "What holds: Accepted by the control plane, Programmed into configurations,"
        " Synced to every sidecar.",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": fields,
        },
    }


def _ancestors() -> OpenApi:
    reference: OpenApi = {
        "group": _text("API group; empty for the core one.", 253),
        "kind": _text("Kind of the target.", 63),
        "namespace": _text("Namespace of the target.", 63),
        "name": _text("Name of the target.", 253),
        "sectionName": _text("Part of the target.", 253),
    }
    sidecars: OpenApi = {
        "targeted": _integer("Sidecars that should apply it."),
        "applied": _integer("Those that do."),
        "rejected": _integer("Those that refused it."),
        "pending": _integer("Those that have not answered yet."),
        "revision": _text("Newest revision of the policies that this is about.", 63),
    }
    fields: OpenApi = {
        "ancestorRef": {
            "type": "object",
            "description": "The target.",
            "required": ["kind", "name"],
            "properties": reference,
        },
        "controllerName": _text("Who says so: breakwater.dev/controller.", 253),
        "conditions": _conditions(),
        "sidecars": {
            "type": "object",
            "description": "How many sidecars there are, and what they answered.",
            "properties": sidecars,
        },
    }
    return {
        "type": "array",
        "description": "How it fares with each target.",
        "maxItems": _MAX_ANCESTORS,
        "x-kubernetes-list-type": "atomic",
        "items": {"type": "object", "required": ["ancestorRef", "controllerName"], "properties": fields},
    }


def _integer(description: str) -> OpenApi:
    return {"type": "integer", "format": "int64", "minimum": 0, "description": description}


def _text(description: str, longest: int) -> OpenApi:
    return {"type": "string", "maxLength": longest, "description": description}
