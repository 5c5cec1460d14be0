"""What a control plane does only in a cluster: watches it, writes to it, answers its API server.

What that takes is loaded where there is one: it costs a second and 50 MB.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from controlplane.credentials import FileCredentials
from controlplane.policy import sidecar_profile
from controlplane.sources.codec import load_schema
from registry.clock import MonotonicClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from controlplane.admin.policies import Policies
    from controlplane.config import Settings
    from controlplane.credentials import Keyring
    from controlplane.discovery.fleet import Fleet
    from controlplane.kubernetes.watched import Watched
    from controlplane.model.document import ObjectKey
    from controlplane.model.sidecar import PolicyConvergence
    from controlplane.peers.mesh import Mesh
    from controlplane.snapshot.build import Snapshot
    from controlplane.sources.desired import Desired
    from controlplane.sources.revisions import Revisions
    from registry.live import LiveCatalog

log = structlog.get_logger()


@asynccontextmanager
async def watching(settings: Settings, live: LiveCatalog) -> AsyncIterator[Watched | None]:
    """The cluster, if one is to be watched, with its services in the catalogue."""
    if settings.kubernetes is None:
        yield None
        return
    from controlplane.kubernetes import run  # noqa: PLC0415  # see above

    async with run.watching(settings.kubernetes, load_schema(), live.join, MonotonicClock()) as watched:
        yield watched


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What is in force, for the controller of a cluster."""

    revisions: Revisions
    fleet: Fleet
    mesh: Mesh

    @property
    def desired(self) -> Desired:
        """The newest documents."""
        return self.revisions.newest.desired

    @property
    def snapshot(self) -> Snapshot:
        """What was compiled of them last."""
        return self.fleet.snapshot

    def revision_of(self, key: ObjectKey) -> int:
        """The revision that brought a document as it is."""
        return self.revisions.revision_of(key)

    async def convergence(self) -> Mapping[ObjectKey, PolicyConvergence]:
        """How many sidecars of all replicas apply each policy."""
        return (await self.mesh.convergence(self.revision_of)).value


@asynccontextmanager
async def controlling(cluster: Watched | None, in_force: InForce, name: str) -> AsyncIterator[None]:
    """Writes to the cluster what becomes of its policies, if one is watched."""
    if cluster is None:
        yield
        return
    from controlplane.kubernetes import run  # noqa: PLC0415  # see above

    async with run.controlling(cluster, in_force, name):
        yield


@asynccontextmanager
async def reviewing(
    settings: Settings,
    cluster: Watched | None,
    keyring: Keyring | None,
    revisions: Revisions,
    policies: Policies,
) -> AsyncIterator[None]:
    """Answers the API server of the cluster, if it is to ask, with `keyring` unless it has one for that."""
    webhook, injection = settings.webhook, settings.injection
    if injection and injection.certificate and injection.key:
        keyring = FileCredentials(injection.certificate, injection.key)
    if not (webhook and injection and cluster and keyring):
        yield
        return
    from controlplane.injector.server import Questions, serving_webhooks  # noqa: PLC0415  # with aiohttp, 10 MB
    from controlplane.injector.template import Template  # noqa: PLC0415  # with that
    from controlplane.kubernetes import roots  # noqa: PLC0415  # see above
    from controlplane.kubernetes.version import minor  # noqa: PLC0415  # see above

    namespace = cluster.api.namespace
    template = Template(
        sidecar_image=injection.sidecar_image,
        capture_image=injection.capture_image,
        controlplane=injection.controlplane or f"breakwater-controlplane.{namespace}.svc:15010",
        minor=await minor(cluster.api),
        root_namespace=namespace,
        ca_config_map=cluster.api.named(roots.NAME),
    )
    questions = Questions(
        template=template,
        documents=lambda: revisions.newest.desired.documents,
        block=load_schema().kinds[sidecar_profile.KIND].spec,
        check=policies.check_object,
    )
    async with serving_webhooks(webhook, keyring, questions) as address:
        log.info("webhooks ready", address=str(address))
        yield
