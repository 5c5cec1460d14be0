"""`breakwater-controlplane`: the only place that constructs and connects the parts."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import structlog

from controlplane.admin.history.policies import PolicyHistory
from controlplane.admin.http import serving_http
from controlplane.admin.parts import About
from controlplane.admin.policies import Policies
from controlplane.admin.server import AdminServer
from controlplane.authority.expiry import ExpiryCollector
from controlplane.clustered import InForce, controlling, reviewing, watching
from controlplane.command.server import CommandServer
from controlplane.config import Address, Settings
from controlplane.descriptors import raise_limit
from controlplane.discovery.feed import SWITCH_SECONDS, Feed, Ground
from controlplane.discovery.fleet import Fleet
from controlplane.discovery.gauges import FleetCollector
from controlplane.discovery.server import DiscoveryServer
from controlplane.errors import (
    AuthorityError,
    CredentialsError,
    KubernetesError,
    ListenError,
)
from controlplane.front import fronting
from controlplane.garbage import keep_what_there_is
from controlplane.gates import opening, shown
from controlplane.heap import give_back
from controlplane.history.gauges import HistoryCollector
from controlplane.history.journal import Journal, journaling
from controlplane.listen import DEFAULT_LIFETIMES, Lifetimes, Service, listening
from controlplane.logs import write_json_logs
from controlplane.metrics import Metrics, TaskCollector
from controlplane.model.replica import Replica
from controlplane.model.schema import Schema
from controlplane.newest import Newest
from controlplane.peers.circle import Circle, meeting
from controlplane.peers.handover import Handover
from controlplane.peers.local import Health, Local
from controlplane.peers.mesh import Mesh
from controlplane.peers.own import Own
from controlplane.peers.presence import forget, present
from controlplane.peers.server import PeerServer
from controlplane.snapshot.build import Compiler
from controlplane.snapshot.codec import encode
from controlplane.sources.admin import AdminSource
from controlplane.sources.codec import load_schema
from controlplane.sources.collector import Collector
from controlplane.sources.directory import DirectorySource
from controlplane.sources.revisions import Revisions
from controlplane.sources.source import Source
from controlplane.sources.stored import PREFIX as POLICIES
from controlplane.sources.writer import PolicyWriter
from controlplane.telemetry.callers import Callers
from controlplane.telemetry.checks import Checks
from controlplane.telemetry.events import Events
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.outbox import Outbox
from controlplane.telemetry.pace import Pace
from controlplane.telemetry.prometheus import MergedCollector
from controlplane.telemetry.readings import Readings
from controlplane.telemetry.server import TelemetryServer, tidy
from registry.clock import MonotonicClock
from registry.config import SqliteLocation
from registry.election import Election, stand
from registry.errors import StoreError
from registry.live import LiveCatalog, follow
from registry.metrics import RegistryCollector
from registry.mirror import Mirror, mirroring
from registry.opening import open_store
from registry.registrar import Registrar
from registry.server import RegistryService
from registry.store import Store

if TYPE_CHECKING:
    from controlplane.kubernetes.watched import Watched

Start: TypeAlias = Callable[[Coroutine[None, None, None]], None]
"""Starts what runs for as long as the program."""

log = structlog.get_logger()


def run(settings: Settings) -> list[str]:
    """Runs the program; returns why it could not, if so."""
    write_json_logs()
    sys.setswitchinterval(SWITCH_SECONDS)
    raise_limit()
    failures: list[str] = []
    try:
        asyncio.run(_run_until_told(settings))
    except* (AuthorityError, CredentialsError, KubernetesError, ListenError, StoreError) as errors:
        failures += map(str, _leaves(errors))
    return failures


def _leaves(errors: BaseExceptionGroup[Exception]) -> Iterator[BaseException]:
    """The errors in a group, and in the groups that task groups around them made of it."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _run_until_told(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second one hastens."""
    told = asyncio.Event()
    running = asyncio.current_task()

    def tell() -> None:
        if told.is_set() and running:
            running.cancel()
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, tell)
    with suppress(asyncio.CancelledError):
        async with control_plane(settings):
            keep_what_there_is()
            await told.wait()
            log.info("control plane drains")
    log.info("control plane ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The addresses that a control plane listens on, with the ports that it got."""

    listen: Address
    admin: Address
    http: Address


@asynccontextmanager
async def control_plane(settings: Settings) -> AsyncIterator[Bound]:
    """A whole control plane, serving until the block ends.

    Raises:
        ListenError: an address cannot be listened on.
        StoreError: the store cannot be opened.
    """
    async with open_store(settings.store) as store:
        if isinstance(settings.store, SqliteLocation):
            await forget(store)
        async with replica(settings, store) as bound:
            yield bound


@asynccontextmanager
async def replica(
    settings: Settings, store: Store, lifetimes: Lifetimes = DEFAULT_LIFETIMES
) -> AsyncIterator[Bound]:
    """One replica of the control plane on a store that others may share, serving until the block ends.

    Sidecars keep their connections to it for as long as `lifetimes` says.
    """
    own = Own()
    async with (
        opening(settings) as gates,
        meeting(store, own.id, gates.people.keyring) as circle,
        follow(store, is_complete=circle.is_complete) as live,
        mirroring(store, POLICIES) as policies,
        journaling(store, partial(datetime.now, UTC)) as journal,
        stand(store, own.id) as election,
        watching(settings, live) as cluster,
        _background() as start,
    ):
        inputs = _Inputs(live=live, mirror=policies, journal=journal, cluster=cluster)
        parts = await _construct(settings, inputs, start)
        circle.tell(parts.fleet.supersede)
        certificates = ExpiryCollector(tuple(shown(settings, gates)), partial(datetime.now, UTC))
        parts.metrics.register(certificates)
        peers = _Peers(election=election, local=_local(parts, election), circle=circle)
        handover = Handover(
            is_connected=lambda: parts.live.is_connected,
            is_elsewhere=circle.has_store,
            dismiss=parts.fleet.dismiss,
        )
        async with (
            fronting(
                settings.listen,
                DiscoveryServer(parts.fleet, parts.revisions.saw, gates.identify),
                _for_sidecars(parts, peers, store, own),
                gates.sidecars,
                lifetimes,
            ) as listen,
            present(store, await own.at(listen, settings.store), MonotonicClock()) as itself,
            listening(
                "--admin",
                settings.admin,
                _for_people(parts, peers, settings, itself),
                gates.people,
            ) as admin,
            controlling(cluster, _in_force(parts, peers.mesh(itself)), own.id),
            reviewing(settings, cluster, gates.people.keyring, parts.revisions, parts.policies),
            serving_http(settings.http, _measurements(parts), partial(_checks, handover)) as http,
        ):
            bound = Bound(listen=listen, admin=admin, http=http)
            log.info("control plane ready", listen=str(bound.listen), admin=str(bound.admin), http=str(http))
            start(tidy(parts.readings))
            start(give_back(MonotonicClock()))
            start(handover.run(MonotonicClock()))
            yield bound


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What answers questions, connected and running."""

    live: LiveCatalog
    mirrors: tuple[Mirror, ...]
    schema: Schema
    sources: tuple[Source, ...]
    policies: Policies
    history: PolicyHistory
    revisions: Revisions
    fleet: Fleet
    commands: CommandServer
    readings: Readings
    metrics: Metrics
    outbox: Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """Where policies and services come from."""

    live: LiveCatalog
    mirror: Mirror
    journal: Journal
    cluster: "Watched | None"


async def _construct(settings: Settings, inputs: _Inputs, start: Start) -> _Parts:
    """Everything behind the servers; ready once all sources were read and the first snapshot is compiled."""
    live, journal, cluster = inputs.live, inputs.journal, inputs.cluster
    schema, metrics = load_schema(), Metrics()
    directory = [DirectorySource(settings.policies, schema)] if settings.policies else []
    resources = [cluster.source] if cluster else []
    sources: tuple[Source, ...] = (*directory, *resources, AdminSource(inputs.mirror, schema))
    collector = Collector(sources)
    start(collector.run())
    revisions = Revisions(collector, journal, schema)
    start(revisions.run())
    documents = revisions.watch()
    compiler = Compiler(schema=schema, encode=encode)
    ground = Ground(
        trust_domain=settings.trust_domain,
        namespaces=cluster.namespaces if cluster else Newest(None),
        keeps_traces=bool(settings.otlp_endpoint),
    )
    feed = Feed(await anext(documents), live, compiler, ground, metrics)
    fleet = Fleet(await feed.first(), clock=MonotonicClock(), metrics=metrics)
    start(fleet.run())
    start(feed.run(fleet, documents))
    metrics.register(HistoryCollector(lambda: journal.ledger, lambda: revisions.newest.is_recorded))
    writer = PolicyWriter(journal, schema)
    policies = Policies(revisions, writer, schema, fleet, are_in_cluster=cluster is not None)
    return _Parts(
        live=live,
        mirrors=(live.mirror, inputs.mirror, journal.mirror),
        schema=schema,
        sources=sources,
        policies=policies,
        history=PolicyHistory(journal, policies, schema),
        revisions=revisions,
        fleet=fleet,
        commands=CommandServer(metrics),
        readings=Readings(
            merge=Merge(),
            callers=Callers(),
            checks=Checks(),
            events=Events(),
            pace=Pace(),
            now_ns=time.time_ns,
        ),
        metrics=metrics,
        outbox=_outbox(settings.otlp_endpoint, metrics, start),
    )


def _outbox(endpoint: str, metrics: Metrics, start: Start) -> Outbox:
    """Where sidecars' spans wait, emptied by what posts them to the collector, if there is one."""
    outbox = Outbox(metrics.spans, time.monotonic_ns, has_collector=bool(endpoint))
    if endpoint:
        from controlplane.telemetry.exporter import export  # noqa: PLC0415  # with aiohttp, 10 MB

        start(export(endpoint, outbox))
    return outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peers:
    """What makes a replica one of several."""

    election: Election
    local: Local
    circle: Circle

    def mesh(self, own: Replica) -> Mesh:
        """What all replicas answer together, of which `own` is this one."""
        return Mesh(own=own, local=self.local, circle=self.circle)


def _in_force(parts: _Parts, mesh: Mesh) -> InForce:
    return InForce(revisions=parts.revisions, fleet=parts.fleet, mesh=mesh)


def _local(parts: _Parts, election: Election) -> Local:
    health = Health(
        is_complete=lambda: parts.live.is_complete,
        is_store_ready=lambda: parts.live.is_connected,
        lead_seconds=lambda: election.renewed_seconds,
    )
    return Local(fleet=parts.fleet, readings=parts.readings, commands=parts.commands, health=health)


def _for_sidecars(parts: _Parts, peers: _Peers, store: Store, own: Own) -> Iterator[Service]:
    telemetry = TelemetryServer(parts.readings, peers.circle, parts.outbox)
    registry = RegistryService(Registrar(store), parts.live)
    yield Service("mesh.v1.CommandService", parts.commands.add_to)
    yield Service("mesh.v1.TelemetryService", telemetry.add_to)
    yield Service("mesh.v1.RegistryService", registry.add_to)
    yield Service("mesh.v1.PeerService", PeerServer(peers.local, own.token).add_to)


def _for_people(parts: _Parts, peers: _Peers, settings: Settings, own: Replica) -> Iterator[Service]:
    about = About(
        version=own.version,
        store=str(settings.store).partition(":")[0],
        is_store_ready=lambda: parts.live.is_connected,
        leader=lambda: peers.election.leader,
        sources=tuple(source.name for source in parts.sources),
        started_at=own.started_at,
        schema=parts.schema,
    )
    admin = AdminServer(about, parts.fleet, parts.history, peers.mesh(own), parts.live)
    yield Service("mesh.v1.AdminService", admin.add_to)


def _measurements(parts: _Parts) -> Metrics:
    metrics = parts.metrics
    metrics.register(TaskCollector())
    metrics.register(FleetCollector(parts.fleet))
    metrics.register(MergedCollector(parts.readings.merge, time.time_ns))
    metrics.register(RegistryCollector(parts.live, parts.mirrors))
    return metrics


def _checks(handover: Handover) -> dict[str, bool]:
    """What must hold to be ready; policies and services were read before anything was served.

    A store that answers nobody is no reason to send anybody away: all that is known goes on being served.
    """
    return {"registry reachable here, or nowhere": not handover.is_missed}


@asynccontextmanager
async def _background() -> AsyncIterator[Start]:
    """What starts tasks that run until the block ends; one that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []

        def start(work: Coroutine[None, None, None]) -> None:
            tasks.append(group.create_task(work))

        try:
            yield start
        finally:
            for task in tasks:
                task.cancel()
