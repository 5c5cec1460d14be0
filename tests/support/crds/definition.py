"""One kind as a CustomResourceDefinition."""

from typing import Any

from controlplane.model.schema import API_VERSION, Field, Kind, Shape
from controlplane.model.text import value_text
from tests.support.crds.scalars import OpenApi
from tests.support.crds.schema import block_schema
from tests.support.crds.status import status_schema
from tests.support.reference import Comments

GROUP, VERSION = API_VERSION.split("/")
POLICY_LABEL = {"gateway.networking.k8s.io/policy": "Inherited"}
CONDITIONS = ("Accepted", "Programmed")
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def definition(kind: Kind, comments: Comments) -> dict[str, Any]:
    """Return the definition of a kind, without the labels and annotations that the chart adds."""
    attached = is_attached(kind)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": POLICY_LABEL if attached else {}},
        "spec": {
            "group": GROUP,
            "scope": "Cluster" if kind.cluster_scoped else "Namespaced",
            "names": _names(kind, attached),
            "versions": [_version(kind, comments, attached)],
        },
    }


def is_attached(kind: Kind) -> bool:
    """Return whether objects of the kind govern targets."""
    return "targetRefs" in kind.spec.fields


def _names(kind: Kind, attached: bool) -> OpenApi:
    return {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "singular": kind.name.lower(),
        "plural": kind.plural,
        "shortNames": [kind.short_name],
        "categories": ["mesh", "mesh-policies"] if attached else ["mesh"],
    }


def _version(kind: Kind, comments: Comments, attached: bool) -> OpenApi:
    found: OpenApi = {"name": VERSION, "served": True, "storage": True, "subresources": {"status": {}}}
    found["additionalPrinterColumns"] = _columns(kind)
    found["schema"] = {"openAPIV3Schema": _document(kind, comments, attached)}
    if selectable := [{"jsonPath": f".spec.{field.name}"} for field in _words(kind)]:
        found["selectableFields"] = selectable
    return found


def _document(kind: Kind, comments: Comments, attached: bool) -> OpenApi:
    spec = block_schema(kind.spec, comments)
    for field in _words(kind):  # a word beside the behaviours is never merged, so its default may be stored
        if field.default is not None:
            spec["properties"][field.name]["default"] = value_text(field.default, field)
    return {
        "type": "object",
        "description": comments[f"{kind.spec.name}.kind"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{API_VERSION}."},
            "kind": {"type": "string", "description": f"{kind.name}."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status_schema(is_attached=attached),
        },
        "x-kubernetes-validations": [_name_rule(kind)],
    }


def _name_rule(kind: Kind) -> OpenApi:
    if kind.singleton:
        return {
            "rule": "self.metadata.name == 'default'",
            "message": f"the only {kind.name} is named default",
        }
    rule = f"self.metadata.name.size() <= 63 && self.metadata.name.matches('^{_LABEL}$')"
    message = "expected a name of lower-case letters, digits and -, at most 63 characters"
    return {"rule": rule, "message": message}


def _words(kind: Kind) -> list[Field]:
    return [field for field in kind.spec.fields.values() if field.shape is Shape.WORD and not field.repeated]


def _columns(kind: Kind) -> list[OpenApi]:
    if is_attached(kind):
        first = [_column("Target", ".spec.targetRefs[*].name")]
    else:
        first = [_column("Hosts", ".spec.hosts[*]")] if "hosts" in kind.spec.fields else []
    conditions = [_column(name, f'.status.conditions[?(@.type=="{name}")].status') for name in CONDITIONS]
    why = _column("Reason", '.status.conditions[?(@.type=="Accepted")].reason', priority=1)
    words = [_column(_title(field.name), f".spec.{field.name}", priority=1) for field in _words(kind)]
    age = {**_column("Age", ".metadata.creationTimestamp"), "type": "date"}
    return [*first, *conditions, _column("Synced", ".status.synced"), age, *words, why]


def _title(name: str) -> str:
    return f"{name[0].upper()}{name[1:]}"


def _column(name: str, path: str, *, priority: int = 0) -> OpenApi:
    return {"name": name, "type": "string", "jsonPath": path, **({"priority": priority} if priority else {})}
