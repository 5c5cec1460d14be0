"""What custom resource definitions check between fields, by the block of the contract that holds them.

The control plane's own checks are beside each kind in `controlplane/policy`. These refuse at `kubectl apply`
what those would refuse a moment later. They keep to the part of CEL that runs without a cluster too.
Kubernetes writes a field whose name is a word of CEL as in `__namespace__`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from controlplane.model.schema import Block


class Check(NamedTuple):
    """What must hold of `self`, what is said when it does not, and about which field of the block."""

    rule: str
    message: str
    field: str = ""


def _ordered(first: str, second: str) -> Check:
    return Check(
        f"!has(self.{first}) || !has(self.{second}) || duration(self.{first}) <= duration(self.{second})",
        f"expected at most {second}",
        first,
    )


def _whole_seconds(name: str) -> Check:
    whole = f"duration(self.{name}).getMilliseconds() % 1000 == 0"
    return Check(f"!has(self.{name}) || {whole}", "expected whole seconds", name)


_UNIQUE_TARGETS: Final = Check(
    "self.targetRefs.all(t, self.targetRefs.exists_one(o, o.kind == t.kind && o.name == t.name"
    " && (has(o.__namespace__) ? o.__namespace__ : '')"
    " == (has(t.__namespace__) ? t.__namespace__ : '')"
    " && (has(o.sectionName) ? o.sectionName : '') == (has(t.sectionName) ? t.sectionName : '')))",
    "expected each target once",
    "targetRefs",
)

CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    "TargetRef": (
        Check(
            "self.kind in ['HTTPRoute', 'GRPCRoute']"
            " ? has(self.group) && self.group == 'gateway.networking.k8s.io'"
            " : !has(self.group) || self.group == ''"
            " || (self.group == 'breakwater.dev' && self.kind in ['ExternalService', 'Mesh'])",
            "expected '', or 'breakwater.dev' for an ExternalService or the Mesh,"
            " or 'gateway.networking.k8s.io' for a route",
            "group",
        ),
        Check(
            "!has(self.sectionName) || self.kind in ['HTTPRoute', 'GRPCRoute']",
            "only routes have rules; leave it out",
            "sectionName",
        ),
        Check(
            "!has(self.__namespace__) || !(self.kind in ['Namespace', 'Mesh'])",
            "a Namespace or Mesh lies in no namespace; leave it out",
            "namespace",
        ),
        Check("self.kind != 'Mesh' || self.name == 'default'", "the only Mesh is named default", "name"),
    ),
    "CallerRef": (
        Check(
            "!has(self.__namespace__) || self.kind != 'Namespace'",
            "a Namespace lies in none; leave it out",
            "namespace",
        ),
    ),
    "RateLimitPolicySpec": (
        Check(
            "!self.targetRefs.exists(t, t.kind in ['HTTPRoute', 'GRPCRoute'])"
            " || !self.limits.exists(l, has(l.connections))",
            "a route has no connections; target the service",
            "limits",
        ),
    ),
    "FaultPolicySpec": (
        Check(
            "has(self.delay) || has(self.abort) || has(self.bandwidth)",
            "does nothing; expected one of delay, abort, bandwidth",
        ),
    ),
    "Timeouts": (_ordered("perTry", "request"),),
    "Backoff": (_ordered("base", "max"),),
    "BreakerOpen": (_ordered("base", "max"),),
    "OutlierEjection": (_ordered("base", "max"),),
    "CodelFigures": (_ordered("target", "interval"),),
    "AdaptiveConcurrency": (
        Check("!has(self.min) || !has(self.max) || self.min <= self.max", "expected at most max", "min"),
    ),
    "Queue": (
        Check(
            "!has(self.mode) || self.mode != 'Buffer' || !has(self.capacity) || !has(self.maxCapacity)"
            " || self.capacity <= self.maxCapacity",
            "expected at most maxCapacity, where growing ends",
            "capacity",
        ),
    ),
    "Breaker": (
        Check(
            "!has(self.endpoint) || !(has(self.endpoint.overloadTrips) || has(self.endpoint.overloadOpen)"
            " || has(self.endpoint.key))",
            "only the service's breaker has overloadTrips, overloadOpen and key",
            "endpoint",
        ),
    ),
    "InstanceGroups": (
        Check("self.assign.all(a, a.group in self.groups)", "expected groups that there are", "assign"),
    ),
    "LoadBalancing": (
        Check(
            "has(self.hashOn) == (has(self.policy) && self.policy in ['RingHash', 'Maglev'])",
            "RingHash and Maglev need hashOn beside them, and nothing else has it",
        ),
    ),
    "SidecarCapture": (
        Check(
            "!has(self.mode) || self.mode == 'Redirect' || !(has(self.excludeInboundPorts)"
            " || has(self.excludeOutboundPorts) || has(self.excludeOutboundCidrs))",
            "nothing is redirected here; what is excluded needs mode: Redirect",
        ),
    ),
    "SidecarDrain": (_whole_seconds("delay"), _whole_seconds("timeout")),
    "SidecarPatch": (
        Check(
            "!has(self.env) || self.env.all(v, self.env.exists_one(o, o.name == v.name))",
            "expected each variable once",
            "env",
        ),
    ),
    "SidecarVariable": (
        Check(
            "!self.name.matches('^((BREAKWATER_|POD_|GCONV_|GLIBC_|LD_|PYTHON).*|PATH)$')",
            "sets the sidecar up, or leads it to other code; leave it out",
            "name",
        ),
    ),
    "SeccompProfile": (
        Check(
            "(self.type == 'Localhost') == has(self.localhostProfile)",
            "localhostProfile goes with type: Localhost, and with no other",
        ),
    ),
    "BreakerTrip": (
        Check("has(self.slowRate) == has(self.slowAfter)", "slowRate and slowAfter go together"),
    ),
    "BreakerWindow": (
        Check(
            "!has(self.duration) || (has(self.type) && self.type == 'Time')",
            "has no meaning in a Count window",
            "duration",
        ),
        Check(
            "!has(self.size) || !has(self.type) || self.type == 'Count'",
            "has no meaning in a Time window",
            "size",
        ),
        Check(
            "(has(self.type) && self.type == 'Time') || !has(self.size) || !has(self.minimumRequests)"
            " || self.size >= self.minimumRequests",
            "a window of fewer outcomes than minimumRequests never holds what rates need",
        ),
    ),
    "Limit": (
        Check(
            "!has(self.cost) || !has(self.cost.fixed) || !has(self.burst) || self.cost.fixed <= self.burst",
            "a cost above burst never fits, so nothing would be admitted",
            "cost",
        ),
        Check(
            "has(self.requests) || has(self.concurrency) || has(self.connections) || has(self.bandwidth)"
            " || has(self.resource)",
            "names nothing to limit; set one of requests, concurrency, connections, bandwidth, resource",
        ),
        Check("has(self.requests) == has(self.per)", "requests and per go together"),
        Check(
            "!has(self.algorithm) || self.algorithm != 'SlidingLog'"
            " || !has(self.requests) || self.requests <= 10000",
            "a SlidingLog keeps an entry for each request, 10000 at most; a SlidingWindow counts any number",
            "requests",
        ),
    ),
    "AdaptiveLimit": (Check("self.min <= self.max", "expected at most max", "min"),),
    "ConnectionLimit": (
        Check("has(self.concurrent) || has(self.perSecond)", "expected concurrent, perSecond or both"),
    ),
    "HeaderMatch": (Check("has(self.value) || has(self.present)", "expected value or present"),),
    "ExternalServiceSpec": (
        Check(
            "self.ports.all(p, self.ports.exists_one(o, o.port == p.port))",
            "expected each port number once",
            "ports",
        ),
        Check(
            "(has(self.endpoints) && self.endpoints.size() > 0)"
            " || (has(self.resolution) && self.resolution == 'DNS')",
            "expected endpoints, or resolution: DNS",
        ),
        Check(
            "(has(self.endpoints) && self.endpoints.size() > 0) || self.hosts.size() == 1",
            "expected one host where hosts themselves are resolved; list what to resolve as endpoints",
            "hosts",
        ),
    ),
}


def checks_of(block: Block) -> tuple[Check, ...]:
    """Return the checks of a block; whatever has targets has each once."""
    attached = (_UNIQUE_TARGETS,) if "targetRefs" in block.fields else ()
    return (*attached, *CHECKS.get(block.name, ()))
