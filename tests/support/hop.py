"""One sidecar in front of one scripted upstream, which is its application and also a service called `svc`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.framing import Message
from tests.support.mesh import controlplane, sidecar
from tests.support.rawclient import RawClient
from tests.support.readiness import answering, until
from tests.support.upstream import ScriptedUpstream

INTERIM = range(100, 200)

SERVICE = """
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: svc, namespace: test}}
spec:
  hosts: [svc]
  ports: [{{name: http, port: 80, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, port: {port}}}]
"""


@dataclass(frozen=True, slots=True)
class Hop:
    """The ports of the sidecar's halves, `inbound` and `outbound`, and the upstream behind both."""

    ports: dict[str, int]
    upstream: ScriptedUpstream

    def client(self, half: str) -> RawClient:
        """Return a client for one half, having emptied the upstream's log."""
        self.upstream.forget()
        return RawClient(self.ports[half])


@asynccontextmanager
async def hop(scratch: Path) -> AsyncIterator[Hop]:
    """Run upstream, control plane and sidecar; both halves answer."""
    policies = scratch / "policies"
    policies.mkdir()
    async with ScriptedUpstream() as upstream:
        (policies / "svc.yaml").write_text(SERVICE.format(port=upstream.port))
        async with (
            controlplane(scratch, policies) as plane,
            sidecar(scratch, "test/app", app_port=upstream.port, discovery=plane.discovery) as between,
        ):
            await between.ready()
            ports = {"inbound": between.inbound, "outbound": between.outbound}
            for port in ports.values():
                await until(answering(port, host="svc"))
            yield Hop(ports, upstream)


async def final_response(client: RawClient, *, method: str = "GET") -> Message:
    """Return the next response that is not interim."""
    while (response := await client.response(method=method)).status in INTERIM:
        pass
    return response
