"""The mesh that the bench holds: services, endpoints, policies, and whom each sidecar calls. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from registry.model import Endpoint, InstanceId, Registration, ServiceName, ServicePort

NAMESPACES: Final = 20
CALLED: Final = 10
"""Services that one sidecar calls; the first of them is the one that all call."""

POPULAR_ENDPOINTS: Final = 260
"""Endpoints of the service that all call: they are 20 KB on the wire."""

PORT: Final = ServicePort(name="http", port=80)
WRITTEN: Final = "written_ns"
"""The label of an endpoint that tells the light sidecars when it was written, by the monotonic clock."""

_RESILIENCE: Final = """\
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: p{number}, namespace: {namespace}}}
spec:
  targetRefs: [{{kind: Service, name: {service}}}]
  timeouts: {{request: {timeout_ms}ms, perTry: 200ms}}
  retry: {{attempts: 3, when: ["503"], budget: {{percent: 10}}}}
  breaker: {{service: {{trip: {{errorRate: 40}}}}}}
"""
_LIMIT: Final = """\
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {{name: p{number}, namespace: {namespace}}}
spec:
  targetRefs: [{{kind: Service, name: {service}}}]
  limits: [{{name: a, requests: 10, per: 1s, by: [{{header: x-user}}]}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """One light sidecar: its name, the service it belongs to, and the hosts it calls."""

    instance: InstanceId
    service: ServiceName
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How much there is; everything else follows."""

    services: int = 500
    endpoints: int = 5_000
    policies: int = 1_000

    def service(self, number: int) -> ServiceName:
        """Return the name of a service; number 0 is the one that all sidecars call."""
        return ServiceName(namespace=f"ns{number % NAMESPACES}", name=f"s{number}")

    def registrations(self) -> Iterator[Registration]:
        """Yield every instance of every service."""
        for number in range(self.services):
            for position in range(self.endpoints_of(number)):
                yield self.registration(number, position)

    def endpoints_of(self, number: int) -> int:
        """Return how many endpoints a service has; the first has many."""
        if number == 0:
            return min(POPULAR_ENDPOINTS, self.endpoints)
        each, more = divmod(self.endpoints - self.endpoints_of(0), self.services - 1)
        return each + (number <= more)

    def registration(self, number: int, position: int, *, written_ns: int = 0) -> Registration:
        """Return one instance of a service, as it was written at an instant."""
        endpoint = Endpoint(
            instance=InstanceId(f"s{number}-{position}"),
            address=f"10.{number // 250}.{number % 250}.{position % 250}",
            ports={PORT.name: 8000 + position},
            labels={WRITTEN: str(written_ns)} if written_ns else {},
            has_sidecar=True,
        )
        return Registration(service=self.service(number), ports=(PORT,), endpoint=endpoint)

    def policy(self, number: int, *, timeout_ms: int = 800) -> str:
        """Return a policy as YAML; of each service the first one times out, the second limits, and so on."""
        name = self.service(number % self.services)
        form = (_RESILIENCE, _LIMIT)[number // self.services % 2]
        return form.format(number=number, namespace=name.namespace, service=name.name, timeout_ms=timeout_ms)

    def sidecars(self, count: int, called: int = CALLED) -> Iterator[Sidecar]:
        """Yield light sidecars, spread over the services."""
        for number in range(count):
            own = number % self.services
            callees = (0, *((own * 7 + step * 53 + 11) % self.services for step in range(1, called)))
            yield Sidecar(
                instance=InstanceId(f"s{own}-light-{number // self.services}"),
                service=self.service(own),
                hosts=tuple(host(self.service(callee)) for callee in dict.fromkeys(callees)),
            )


def host(name: ServiceName) -> str:
    """Return the name that callers of a service dial."""
    return f"{name.name}.{name.namespace}"
