"""`breakwater-controlplane`: the only place that constructs and connects the parts."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog

from controlplane.admin.http import serving_http
from controlplane.command.server import CommandServer
from controlplane.config import Address, Settings, read_settings
from controlplane.discovery.feed import SWITCH_SECONDS, Feed
from controlplane.discovery.fleet import Fleet
from controlplane.discovery.gauges import FleetCollector
from controlplane.discovery.server import DiscoveryServer
from controlplane.errors import ListenError, SettingsError
from controlplane.listen import Service, listening
from controlplane.logs import write_json_logs
from controlplane.metrics import Metrics
from controlplane.model.schema import Schema
from controlplane.snapshot.build import Compiler
from controlplane.snapshot.codec import encode
from controlplane.sources.admin import AdminSource
from controlplane.sources.codec import load_schema
from controlplane.sources.collector import Collector
from controlplane.sources.directory import DirectorySource
from controlplane.sources.source import Source
from controlplane.telemetry.callers import Callers
from controlplane.telemetry.events import Events
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.prometheus import MergedCollector
from controlplane.telemetry.server import TelemetryServer
from mesh.v1.registry_pb2_grpc import add_RegistryServiceServicer_to_server
from mesh.v1.telemetry_pb2_grpc import add_TelemetryServiceServicer_to_server
from registry.clock import MonotonicClock
from registry.errors import StoreError
from registry.live import follow
from registry.metrics import RegistryCollector
from registry.registrar import Registrar
from registry.server import RegistryService
from registry.sqlite import open_sqlite
from registry.store import Store

EXIT_USAGE = 2
EXIT_FAILURE = 1

log = structlog.get_logger()


def run() -> None:
    """Runs the program; exits 2 when its settings have problems, 1 when it cannot run."""
    try:
        settings = read_settings(sys.argv[1:], os.environ)
    except SettingsError as error:
        sys.exit(_complain(error.problems, EXIT_USAGE))
    write_json_logs()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        asyncio.run(_run_until_told(settings))
    except (ListenError, StoreError) as error:
        sys.exit(_complain([str(error)], EXIT_FAILURE))


def _complain(problems: Iterable[str], code: int) -> int:
    for problem in problems:
        print(f"breakwater-controlplane: {problem}", file=sys.stderr)  # noqa: T201 (for people)
    return code


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
            await told.wait()
            log.info("control plane drains")
    log.info("control plane ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The addresses that a control plane listens on, with the ports that it got."""

    listen: Address
    http: Address


@asynccontextmanager
async def control_plane(settings: Settings) -> AsyncIterator[Bound]:
    """A whole control plane, serving until the block ends.

    Raises:
        ListenError: an address cannot be listened on.
        StoreError: the store cannot be opened.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_sqlite(settings.store))
        live = await stack.enter_async_context(follow(store))
        start = await stack.enter_async_context(_background())
        metrics, schema = Metrics(), load_schema()
        collector = Collector(_sources(settings, store, schema))
        start(collector.run())
        documents = collector.watch()
        compiler = Compiler(schema=schema, encode=encode)
        feed = Feed(await anext(documents), live, compiler, settings.trust_domain, metrics)
        fleet = Fleet(await feed.first(), clock=MonotonicClock(), metrics=metrics)
        start(fleet.run())
        start(feed.run(fleet, documents))
        merge, callers, events = Merge(), Callers(), Events()
        telemetry = TelemetryServer(merge, callers, events, time.time_ns)
        start(telemetry.tidy())
        commands = CommandServer(metrics)
        registry = RegistryService(Registrar(store), live)
        metrics.registry.register(FleetCollector(fleet))
        metrics.registry.register(MergedCollector(merge, time.time_ns))
        metrics.registry.register(RegistryCollector(live, lambda: store.lease_count))

        def checks() -> dict[str, bool]:
            return {"policies and services read": True, "registry reachable": live.is_connected}

        for_sidecars = (
            Service("mesh.v1.DiscoveryService", DiscoveryServer(fleet).add_to),
            Service("mesh.v1.CommandService", commands.add_to),
            Service("mesh.v1.TelemetryService", partial(add_TelemetryServiceServicer_to_server, telemetry)),
            Service("mesh.v1.RegistryService", partial(add_RegistryServiceServicer_to_server, registry)),
        )
        listen = await stack.enter_async_context(listening("--listen", settings.listen, for_sidecars))
        http = await stack.enter_async_context(serving_http(settings.http, metrics.registry, checks))
        bound = Bound(listen=listen.address, http=http)
        log.info("control plane ready", listen=str(bound.listen), http=str(bound.http))
        yield bound


def _sources(settings: Settings, store: Store, schema: Schema) -> list[Source]:
    admin = AdminSource(store, schema, lambda: datetime.now(UTC))
    return [DirectorySource(settings.policies, schema), admin] if settings.policies else [admin]


@asynccontextmanager
async def _background() -> AsyncIterator[Callable[[Coroutine[None, None, None]], None]]:
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


if __name__ == "__main__":
    run()
