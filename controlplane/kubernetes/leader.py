"""One candidate for the lead among the replicas that watch a cluster."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from controlplane.errors import KubernetesError
from controlplane.kubernetes import lease as leases
from controlplane.kubernetes.call import Call
from controlplane.kubernetes.lease import Lease, LeaseSpec, Seen, Step
from controlplane.kubernetes.reflection import MISSING
from registry.background import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controlplane.kubernetes.api import Api
    from registry.clock import Clock

NAME: Final = "breakwater-controlplane"
_API: Final = "coordination.k8s.io/v1"
_PATIENCE_SECONDS: Final = 5.0

log = structlog.get_logger()


class Leader:
    """A candidate called `name`; made by `standing`."""

    def __init__(self, api: Api, name: str, clock: Clock) -> None:
        self._api = api
        self._name = name
        self._clock = clock
        self._leases = f"/apis/{_API}/namespaces/{api.namespace}/leases"
        self._lease = api.named(NAME)
        self._seen = Seen()
        self._renewed_ns: int | None = None

    @property
    def is_leading(self) -> bool:
        """Whether the lead is ours, as far as the clock tells."""
        return leases.is_leading(self._renewed_ns, self._clock.now_ns())

    async def run(self) -> None:
        """Stands, leads and stands again, until cancelled."""
        while True:
            led = self.is_leading
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._look()
            except (KubernetesError, TimeoutError) as error:
                log.warning("cluster's lease not read or written", error=str(error))
            if led != self.is_leading:
                log.info("lead of the cluster", name=self._name, held=self.is_leading)
            await self._clock.sleep(leases.LOOK_SECONDS)

    async def resign(self) -> None:
        """Ends the lead, if it is ours, so that another one begins at once."""
        if not self.is_leading:
            return
        self._renewed_ns = None
        with suppress(KubernetesError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                lease = await self._read()
                if lease and lease.spec.holder_identity == self._name:
                    await self._write(lease, leases.released(lease, datetime.now(UTC)))

    async def _look(self) -> None:
        now_ns = self._clock.now_ns()
        lease = await self._read()
        self._seen = leases.see(self._seen, lease, now_ns)
        step = leases.step(lease, self._name, self._seen, now_ns)
        if step is Step.WAIT:
            self._renewed_ns = None
            return
        await self._write(lease, leases.held(lease, self._name, datetime.now(UTC)))
        self._renewed_ns = now_ns

    async def _read(self) -> Lease | None:
        try:
            body = await self._api.call(Call(path=f"{self._leases}/{self._lease}"))
        except KubernetesError as error:
            if error.status == MISSING:
                return None
            raise
        return msgspec.json.decode(body, type=Lease)

    async def _write(self, lease: Lease | None, spec: LeaseSpec) -> None:
        """Writes what the Lease says, if nobody else has since `lease` was read."""
        version = {"resourceVersion": lease.metadata.resource_version} if lease else {}
        written = {
            "apiVersion": _API,
            "kind": "Lease",
            "metadata": {"name": self._lease, "namespace": self._api.namespace, **version},
            "spec": leases.encode(spec),
        }
        if lease:
            call = Call(method="PUT", path=f"{self._leases}/{self._lease}", body=written)
        else:
            call = Call(method="POST", path=self._leases, body=written)
        await self._api.call(call)


@asynccontextmanager
async def standing(api: Api, name: str, clock: Clock) -> AsyncIterator[Leader]:
    """A candidate, until the block ends; it then leaves the lead to the others."""
    leader = Leader(api, name, clock)
    try:
        async with running(leader.run()):
            yield leader
    finally:
        await leader.resign()
