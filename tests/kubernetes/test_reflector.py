"""Following a resource of a real API server, through the faults that networks and servers have."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controlplane.config import Cluster
from controlplane.kubernetes import watch
from controlplane.kubernetes.api import reaching
from controlplane.kubernetes.objects import Key, Object
from controlplane.kubernetes.resources import Resource
from controlplane.kubernetes.watch import Reflector
from registry.clock import MonotonicClock
from tests.support.kube import ApiServer
from tests.support.kube.objects import Document
from tests.support.kube.scripted import Delay, Drop, Fault, Refuse, ScriptedApi, Silence, scripted
from tests.support.readiness import Condition, that, until

NAMESPACE = "followed"
CONFIG_MAPS = Resource(name="configmaps", version="v1", type=Object)


def config_map(name: str, text: str = "") -> Document:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {"text": text},
    }


@dataclass(slots=True)
class Follower:
    """What a reflector has handed over."""

    api: ScriptedApi
    server: ApiServer
    versions: dict[str, str] = field(default_factory=dict)

    def take(self, changes: Mapping[Key, Object | None]) -> None:
        for key, found in changes.items():
            if key.namespace == NAMESPACE:
                self.versions.pop(key.name, None)
                if found is not None:
                    self.versions[key.name] = found.metadata.resource_version

    def knows(self, *names: str) -> Condition:
        return that(lambda: set(self.versions) == set(names))

    async def truth(self) -> dict[str, str]:
        """What the server has."""
        found = await self.server.get("configmaps", "-n", NAMESPACE)
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in found["items"]}


@asynccontextmanager
async def following(
    server: ApiServer,
    folder: Path,
    *,
    silence_seconds: float = 30,
    lists: tuple[Fault, ...] = (),
    watches: tuple[Fault, ...] = (),
) -> AsyncIterator[Follower]:
    """A reflector behind the proxy, that has listed what there is: the config map `first`."""
    await server.create_namespace(NAMESPACE)
    await server.kubectl("delete", "configmaps", "--all", "-n", NAMESPACE)
    await server.apply(config_map("first"))
    async with scripted(server, folder) as api, reaching(Cluster(kubeconfig=str(api.kubeconfig))) as client:
        api.lists.extend(lists)
        api.watches.extend(watches)
        follower = Follower(api, server)
        reflector = Reflector(client, CONFIG_MAPS, follower.take, MonotonicClock(), silence_seconds)
        running = asyncio.create_task(reflector.run())
        try:
            await asyncio.wait_for(reflector.synced(), 20)
            yield follower
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_objects_are_seen_as_they_come_change_and_go(kubernetes: ApiServer, tmp_path: Path) -> None:
    async with following(kubernetes, tmp_path) as follower:
        await until(follower.knows("first"))
        await kubernetes.apply(config_map("second"))
        await until(follower.knows("first", "second"))
        await kubernetes.apply(config_map("second", "changed"))
        truth = await follower.truth()
        await until(that(lambda: follower.versions == truth))
        await kubernetes.kubectl("delete", "configmap", "first", "-n", NAMESPACE)
        await until(follower.knows("second"))


async def test_nothing_is_missed_while_connections_drop(kubernetes: ApiServer, tmp_path: Path) -> None:
    drops = (Drop(after_seconds=0.2),) * 4
    async with following(kubernetes, tmp_path, watches=drops) as follower:
        names = [f"map-{number}" for number in range(4)]
        for name in names:
            await kubernetes.apply(config_map(name))
        await until(follower.knows("first", *names), timeout_seconds=20)
        assert await follower.truth() == follower.versions
        await until(that(lambda: len(follower.api.asked("watch")) > len(drops)), timeout_seconds=20)


async def test_a_version_that_is_gone_is_listed_anew_and_nothing_is_missed(
    kubernetes: ApiServer, tmp_path: Path
) -> None:
    gone = (Drop(after_seconds=0.1), Refuse(status=410))
    async with following(kubernetes, tmp_path, watches=gone) as follower:
        await kubernetes.apply(config_map("later"))
        await kubernetes.kubectl("delete", "configmap", "first", "-n", NAMESPACE)
        await until(follower.knows("later"))
        await until(that(lambda: len(follower.api.asked("list")) == 2))


async def test_a_server_that_asks_for_patience_gets_it(kubernetes: ApiServer, tmp_path: Path) -> None:
    busy = Refuse(status=429, headers={"Retry-After": "1"})
    async with following(kubernetes, tmp_path, lists=(busy, busy)) as follower:
        first, second, third, *_ = follower.api.asked("list")
        assert second - first >= 1
        assert third - second >= 1
        await until(follower.knows("first"))


async def test_a_server_that_fails_is_asked_again_less_and_less_often(
    kubernetes: ApiServer, tmp_path: Path
) -> None:
    failing = Refuse(status=500)
    async with following(kubernetes, tmp_path, lists=(failing, failing, failing)) as follower:
        assert len(follower.api.asked("list")) == 4
        await until(follower.knows("first"))


async def test_a_silent_watch_is_ended_and_what_it_withheld_is_seen(
    kubernetes: ApiServer, tmp_path: Path
) -> None:
    silent = (Silence(),)
    async with following(kubernetes, tmp_path, silence_seconds=1, watches=silent) as follower:
        await kubernetes.apply(config_map("hidden"))
        await until(follower.knows("first", "hidden"))
        assert len(follower.api.asked("watch")) > 1


async def test_slow_answers_are_waited_for(kubernetes: ApiServer, tmp_path: Path) -> None:
    async with following(kubernetes, tmp_path, lists=(Delay(seconds=1),)) as follower:
        assert len(follower.api.asked("list")) == 1
        await until(follower.knows("first"))


async def test_a_list_in_pages_is_whole_and_begins_anew_when_a_page_is_gone(
    kubernetes: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAGE", 1)
    async with following(kubernetes, tmp_path) as follower:
        pages = len(follower.api.asked("list"))
        assert pages > 1
        await kubernetes.apply(config_map("second"), config_map("third"))
        await until(follower.knows("first", "second", "third"))
    async with (
        scripted(kubernetes, tmp_path) as api,
        reaching(Cluster(kubeconfig=str(api.kubeconfig))) as client,
    ):
        api.lists.extend([Delay(seconds=0), Refuse(status=410)])
        again = Follower(api, kubernetes)
        reflector = Reflector(client, CONFIG_MAPS, again.take, MonotonicClock())
        running = asyncio.create_task(reflector.run())
        await asyncio.wait_for(reflector.synced(), 20)
        running.cancel()
        await asyncio.wait([running])
        assert again.versions == await again.truth()
        assert len(api.asked("list")) > 2
