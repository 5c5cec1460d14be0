"""Builders of documents, services and snapshots."""

from collections.abc import Iterable
from textwrap import dedent, indent

from controlplane.model.document import Document
from controlplane.model.resource import Body, ResourceName, ResourceType
from controlplane.snapshot.build import Compiler, Snapshot, build
from controlplane.snapshot.codec import encode
from controlplane.snapshot.inputs import Inputs
from controlplane.sources.codec import load_schema
from controlplane.sources.reader import Parsed, parse
from registry.catalog import Service
from registry.model import Contract, Endpoint, InstanceId, ServiceName, ServicePort

SCHEMA = load_schema()
COMPILER = Compiler(schema=SCHEMA, encode=encode)


def read(text: str, file: str = "policies.yaml") -> Parsed:
    """What a text holds."""
    return parse(dedent(text), file, SCHEMA)


def documents(text: str) -> tuple[Document, ...]:
    """The documents of a text that must be sound."""
    parsed = read(text)
    assert parsed.is_valid, "\n".join(map(str, parsed.problems))
    return parsed.documents


def policy(
    spec: str,
    *,
    kind: str = "ResiliencePolicy",
    name: str = "cart",
    namespace: str = "shop",
    target: str = "{kind: Service, name: cart}",
) -> Document:
    """One policy; `spec` is the YAML of its blocks."""
    targets = f"targetRefs: [{target}]\n" if target else ""
    body = indent(targets + dedent(spec).strip("\n"), "  ")
    header = f"apiVersion: breakwater.dev/v1alpha1\nkind: {kind}\n"
    metadata = f"metadata: {{name: {name}, namespace: {namespace}}}\n"
    [document] = documents(header + metadata + f"spec:\n{body}\n")
    return document


def mesh(spec: str) -> Document:
    """The Mesh; `spec` is the YAML of its blocks."""
    body = indent(dedent(spec).strip("\n"), "  ")
    header = "apiVersion: breakwater.dev/v1alpha1\nkind: Mesh\nmetadata: {name: default}\n"
    [document] = documents(header + f"spec:\n{body}\n")
    return document


def service_name(name: str) -> ServiceName:
    """A service's name from `namespace/name`."""
    namespace, _, short = name.partition("/")
    return ServiceName(namespace=namespace, name=short)


def service(
    name: str = "shop/cart", *, instances: int = 1, has_sidecar: bool = True, contract: Contract | None = None
) -> Service:
    """A registered service with one port, and endpoints on loopback."""
    endpoints = tuple(
        Endpoint(
            instance=InstanceId(f"{name.replace('/', '-')}-{number}"),
            address="127.0.0.1",
            ports={"http": 9000 + number},
            has_sidecar=has_sidecar,
        )
        for number in range(1, instances + 1)
    )
    return Service(
        name=service_name(name),
        ports=(ServicePort(name="http", port=80),),
        contract=contract or Contract(),
        endpoints=endpoints,
        conflicts=(),
        registered={},
    )


def inputs(
    documents: Iterable[Document] = (), services: Iterable[Service] = (), *, revision: int = 1
) -> Inputs:
    """What a snapshot is built from."""
    return Inputs(
        documents={document.key: document for document in documents},
        services={each.name: each for each in services},
        revision=revision,
    )


def snapshot(documents: Iterable[Document] = (), services: Iterable[Service] = ()) -> Snapshot:
    """A snapshot built from nothing."""
    return build(inputs(documents, services), COMPILER)


def body(built: Snapshot, kind: ResourceType, name: str) -> Body:
    """The body of one resource."""
    return built.resources[ResourceName(kind, name)].body
