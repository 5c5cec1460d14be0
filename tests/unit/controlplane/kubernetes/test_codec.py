"""Custom resources as documents."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from controlplane.kubernetes.codec import concerns_us, decode, key_of
from controlplane.kubernetes.objects import Custom, Key, Meta
from controlplane.sources.reader import Parsed
from tests.support.builders import SCHEMA, policy

KIND = SCHEMA.kinds["ResiliencePolicy"]
BORN = datetime(2026, 11, 25, tzinfo=UTC)


def read(spec: object, labels: dict[str, str] | None = None) -> Parsed:
    meta = Meta(name="cart", namespace="shop", generation=3, creation_timestamp=BORN, labels=labels or {})
    return decode(KIND, Custom(metadata=meta, spec=msgspec.Raw(msgspec.json.encode(spec))), SCHEMA)


def problems(spec: object) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in read(spec).problems]


def test_an_object_is_the_document_that_a_file_gives_with_its_history() -> None:
    [document] = read(
        {"targetRefs": [{"kind": "Service", "name": "cart"}], "timeouts": {"request": "800ms"}},
        labels={"team": "a"},
    ).documents
    same = policy("timeouts: {request: 800ms}")
    assert (document.key, document.spec) == (same.key, same.spec)
    assert (document.generation, document.created_at, document.labels) == (3, BORN, {"team": "a"})


def test_a_field_that_only_a_newer_release_knows_is_named_with_its_path() -> None:
    [(path, message)] = problems(
        {"targetRefs": [{"kind": "Service", "name": "cart"}], "timeouts": {}, "telepathy": {"on": True}}
    )
    assert path == "spec.telepathy"
    assert message.startswith("unknown field")


def test_a_word_that_only_a_newer_release_knows_is_named_with_its_path() -> None:
    [(path, message)] = problems({"targetRefs": [{"kind": "Service", "name": "cart"}], "mode": "Dream"})
    assert path == "spec.mode"
    assert "Dream" in message


@pytest.mark.parametrize(
    "spec", [None, [], "text", 3, {"targetRefs": 3}, {"targetRefs": [None]}, {"\u0000": 1}]
)
def test_a_spec_of_any_shape_is_a_problem_and_no_failure(spec: object) -> None:
    assert not read(spec).is_valid


def test_what_lies_in_no_namespace_has_none() -> None:
    assert str(key_of(SCHEMA.kinds["Mesh"], Key("", "default"))) == "Mesh default"
    assert str(key_of(KIND, Key("shop", "cart"))) == "ResiliencePolicy shop/cart"


def route(**spec: Any) -> Custom:
    return Custom(
        metadata=Meta(name="api", namespace="shop", generation=1), spec=Raw(msgspec.json.encode(spec))
    )


GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}
SERVICE = {"group": "", "kind": "Service", "name": "cart"}
HTTP_ROUTE = SCHEMA.kinds["HTTPRoute"]


def test_a_route_is_read_as_far_as_it_governs_services() -> None:
    mixed = route(hostnames=["shop.example"], parentRefs=[GATEWAY, SERVICE], rules=[{"name": "all"}])
    assert concerns_us(HTTP_ROUTE, mixed)
    [document] = decode(HTTP_ROUTE, mixed, SCHEMA).documents
    assert document.spec == {"parentRefs": (SERVICE,), "rules": ({"name": "all"},)}


def test_routes_of_gateways_are_none_of_our_business() -> None:
    assert not concerns_us(HTTP_ROUTE, route(parentRefs=[GATEWAY], rules=[{}]))
    assert not concerns_us(HTTP_ROUTE, route(rules=[{}]))
