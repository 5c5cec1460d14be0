"""Golden pairs: policies in, snapshot out as text. `python -m tests.support.golden` rewrites them for review.

Every `*.yaml` of `tests/testdata/golden` is built over the same few services; the text beside it is what
came out.
"""

from collections.abc import Iterator
from pathlib import Path

from controlplane.model.effective import CallerMatch, OutboundVariant
from controlplane.model.resource import (
    Body,
    Endpoints,
    HostBinding,
    Inbound,
    MeshSettings,
    Outbound,
    RateLimitRules,
    Workload,
)
from controlplane.model.text import value_text
from controlplane.model.value import Tree
from controlplane.snapshot.build import Snapshot
from controlplane.snapshot.describe import Row, inbound_rows, outbound_rows, shadow_rows
from controlplane.snapshot.status import conditions
from registry.model import Contract
from tests.support import injection
from tests.support.builders import SCHEMA, documents, service, snapshot

FOLDER = Path(__file__).parent.parent / "testdata" / "golden"


def cases() -> list[Path]:
    """The policies of every pair."""
    return sorted(FOLDER.glob("*.yaml"))


def build(policies: Path) -> str:
    """What comes out of policies, as text."""
    services = [
        service("shop/cart", instances=2, contract=Contract(idempotent_methods=("POST",))),
        service("shop/web"),
        service("ops/robot"),
    ]
    found = documents(policies.read_text(encoding="utf-8"))
    return render(snapshot(found, services))


def render(built: Snapshot) -> str:
    """Every policy with its conditions, and every resource."""
    return "\n".join([*_policies(built), *_resources(built), ""])


def _policies(built: Snapshot) -> Iterator[str]:
    for key, document in sorted(built.inputs.documents.items()):
        yield str(key)
        for condition in conditions(built, document):
            message = f": {condition.message}" if condition.message else ""
            yield f"  {condition.type} {condition.status} {condition.reason}{message}"


def _resources(built: Snapshot) -> Iterator[str]:
    for name, resource in sorted(built.resources.items()):
        yield ""
        yield f"{name} @ {resource.version}"
        yield from (f"  of {key}" for key in sorted(resource.policies))
        yield from (f"  {line}" for line in _body(resource.body))


def _body(body: Body) -> Iterator[str]:
    match body:
        case MeshSettings():
            yield f"trust domain {body.trust_domain}"
            yield f"unknown destinations {body.unknown_destinations}"
            yield from _tree("access log", body.access_log, "AccessLog")
            if body.tracing is not None:
                yield from _tree("tracing", body.tracing, "Tracing")
            yield from (f"host names lead to {name}" for name in body.named_services)
        case HostBinding():
            port = f":{body.port}" if body.port else ""
            yield f"-> {body.service}{port}{', this endpoint alone' if body.is_endpoint else ''}"
        case Workload():
            yield from (f"port {member.port} -> {member.service}" for member in body.members)
        case Endpoints():
            yield f"resolution {body.resolution.value}"
            for endpoint in body.endpoints:
                sidecar = " with sidecar" if endpoint.has_sidecar else ""
                yield f"{endpoint.instance} at {endpoint.address} {dict(endpoint.ports)}{sidecar}"
        case Inbound():
            yield from _limits(body.rate_limits)
            yield from _rows(inbound_rows(body, SCHEMA))
            yield from (f"  in shadow{line}" for line in _rows(shadow_rows(body, SCHEMA)))
        case Outbound():
            ports = (f"{port.name} {port.port} {port.protocol.value}" for port in body.ports)
            yield f"ports {', '.join(ports)}"
            yield f"idempotent {', '.join(body.idempotent_methods) or '-'}"
            for variant in body.variants:
                yield from _variant(variant)
            yield from _limits(body.rate_limits)


def _variant(variant: OutboundVariant) -> Iterator[str]:
    yield f"for {_caller(variant.caller)}"
    yield from _rows(outbound_rows(variant, SCHEMA))


def _rows(found: tuple[Row, ...]) -> Iterator[str]:
    for row in found:
        author = f" {row.origin.policy.key}" if row.origin.policy else ""
        yield f"  {row.path} = {row.value}  ({row.origin.level}{author})"


def _limits(found: tuple[RateLimitRules, ...]) -> Iterator[str]:
    for rules in found:
        callers = ", ".join(_caller(caller) for caller in rules.callers) or _caller(None)
        shadow = ", in shadow" if rules.is_shadow else ""
        yield f"limits of {rules.policy.key} for {callers}{shadow}"
        for limit in rules.limits:
            yield from (f"  {line}" for line in _tree("limit", limit, "Limit"))
        for exemption in rules.exempt:
            yield from (f"  {line}" for line in _tree("exempt", exemption, "Exemption"))
        yield from (f"  {line}" for line in _tree("response", rules.response, "LimitResponse"))


def _caller(match: CallerMatch | None) -> str:
    if match is None:
        return "any caller"
    parts = {"namespace": match.namespace, "service": match.service, "account": match.service_account}
    return " ".join(f"{name} {value}" for name, value in parts.items() if value)


def _tree(name: str, tree: Tree, block: str) -> Iterator[str]:
    fields = SCHEMA.blocks[block].fields
    yield f"{name} " + ", ".join(f"{key}: {value_text(value, fields[key])}" for key, value in tree.items())


def rewrite() -> None:
    """Writes every text anew."""
    for policies in cases():
        policies.with_suffix(".txt").write_text(build(policies), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
    injection.rewrite_all()
