"""References across namespaces: every field that the schema has for one, so that none is forgotten."""

from collections.abc import Iterator

import pytest

from controlplane.model.document import Document, ObjectKey
from controlplane.model.schema import Block, Kind
from controlplane.model.value import Tree
from controlplane.policy import target
from controlplane.policy.reference_grant import Grants
from tests.support.builders import SCHEMA, documents

ROOT = "breakwater-system"
HERE, ELSEWHERE = "shop", "bank"
CONSUMERS = {"ResiliencePolicy", "FaultPolicy"}
GRANTED = Grants().replace(
    (),
    documents(
        """\
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: all, namespace: bank}
        spec:
          from:
          - {group: breakwater.dev, kind: ResiliencePolicy, namespace: shop}
          - {group: breakwater.dev, kind: RateLimitPolicy, namespace: shop}
          - {group: breakwater.dev, kind: BackpressurePolicy, namespace: shop}
          - {group: breakwater.dev, kind: FaultPolicy, namespace: shop}
          to: [{group: "", kind: Service}]
        """
    ),
)
REFERENCES = {"TargetRef", "CallerRef", "ParentRef", "BackendRef", "MirrorRef"}


def references(block: Block, path: str = "") -> Iterator[tuple[str, Block]]:
    """Every block below one that names an object of a namespace, with the path of the field that holds it."""
    for field in block.fields.values():
        if field.block is not None:
            place = f"{path}.{field.name}".lstrip(".")
            if {"name", "namespace"} <= field.block.fields.keys():
                yield place, field.block
            yield from references(field.block, place)


FIELDS = [(kind, path, block) for kind in SCHEMA.kinds.values() for path, block in references(kind.spec)]


def document(kind: Kind, namespace: str, **spec: Tree | tuple[Tree, ...]) -> Document:
    return Document(key=ObjectKey(kind.name, namespace, "p"), spec=spec)


def ref(namespace: str) -> Tree:
    return {"kind": "Service", "name": "cart", "namespace": namespace}


def refused(found: Document, grants: Grants | None = None) -> list[str]:
    return [problem.path for problem in target.refusals(found, ROOT, grants or Grants())]


def test_every_reference_is_of_a_sort_whose_crossing_is_decided() -> None:
    assert {block.name for _, _, block in FIELDS} == REFERENCES
    paths = {
        "targetRefs",
        "from",
        "parentRefs",
        "rules.backendRefs",
        "rules.filters.requestMirror.backendRef",
    }
    assert {path for _, path, _ in FIELDS} == paths


@pytest.mark.parametrize(
    "kind", [kind for kind, path, _ in FIELDS if path == "targetRefs"], ids=lambda k: k.name
)
def test_a_target_elsewhere_is_for_consumers_and_the_root_namespace_alone(kind: Kind) -> None:
    crossing = {"targetRefs": (ref(ELSEWHERE),)}
    expected = [] if kind.name in CONSUMERS else ["spec.targetRefs[0]"]
    assert refused(document(kind, HERE, **crossing)) == expected
    assert refused(document(kind, HERE, **crossing), GRANTED) == []
    assert refused(document(kind, ROOT, **crossing)) == []
    assert refused(document(kind, HERE, targetRefs=(ref(HERE),))) == []


@pytest.mark.parametrize(
    "kind", [kind for kind, path, _ in FIELDS if path == "targetRefs"], ids=lambda k: k.name
)
def test_the_second_target_is_looked_at_like_the_first(kind: Kind) -> None:
    both = document(kind, HERE, targetRefs=(ref(HERE), {"kind": "Mesh", "name": "default"}))
    assert refused(both) == ["spec.targetRefs[1]"]


@pytest.mark.parametrize("kind", [kind for kind, path, _ in FIELDS if path == "from"], ids=lambda k: k.name)
def test_callers_elsewhere_are_the_producers_to_name_and_not_a_consumers(kind: Kind) -> None:
    callers = (ref(ELSEWHERE),)
    assert refused(document(kind, HERE, **{"targetRefs": (ref(HERE),), "from": callers})) == []
    if kind.name in CONSUMERS:
        stolen = document(kind, HERE, **{"targetRefs": (ref(ELSEWHERE),), "from": callers})
        assert refused(stolen) == ["spec.from[0]"]
        assert refused(stolen, GRANTED) == []
