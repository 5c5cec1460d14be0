"""A namespace of an API server, the control plane that watches the whole, and what it says there."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.kube.apiserver import ApiServer
from tests.support.mesh import ControlPlane
from tests.support.readiness import Condition

OURS = "apis/breakwater.dev/v1alpha1"
RESILIENCE = f"{OURS}/resiliencepolicies"
LIMITS = f"{OURS}/ratelimitpolicies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Resources are named as the API has them: group, version and plural."""

    server: ApiServer
    namespace: str
    plane: ControlPlane

    async def status(self, name: str, resource: str = RESILIENCE) -> Mapping[str, Any]:
        """Return the status of an object."""
        group, _, plural = resource.rpartition("/")
        found = await self.server.read(f"/{group}/namespaces/{self.namespace}/{plural}/{name}")
        status: Mapping[str, Any] = found.get("status", {})
        return status

    async def reasons(self, name: str, resource: str = RESILIENCE) -> dict[str, str]:
        """Return the reason of each condition of an object."""
        conditions = (await self.status(name, resource)).get("conditions", ())
        return {each["type"]: each["reason"] for each in conditions}

    def says(self, name: str, resource: str = RESILIENCE, **reasons: str) -> Condition:
        """Return the condition that an object's status has these reasons."""

        async def holds() -> bool:
            found = await self.reasons(name, resource)
            return all(found.get(key) == value for key, value in reasons.items())

        return holds


@asynccontextmanager
async def cluster(server: ApiServer, plane: ControlPlane, namespace: str) -> AsyncIterator[Cluster]:
    """A namespace of its own, which has none of its policies any more afterwards."""
    await server.create_namespace(namespace)
    yield Cluster(server=server, namespace=namespace, plane=plane)
    kinds = "resiliencepolicies,ratelimitpolicies,externalservices,httproutes,grpcroutes"
    await server.kubectl("delete", kinds, "--all", "--wait=false", "-n", namespace)
