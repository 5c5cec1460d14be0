"""A control plane while the API server, or its own clock, goes wrong: nothing is missed, all else goes on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from controlplane.sources.codec import load_schema
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.kube.credentials import write_kubeconfig
from tests.support.kube.objects import policy, service
from tests.support.kube.scripted import Delay, Drop, Refuse, ScriptedApi, scripted
from tests.support.mesh import ControlPlane, cluster_controlplane
from tests.support.readiness import Condition, until
from tests.support.skew import clock_moved_by

NAMESPACE = "faults"
HEALED_SECONDS = 60
"""A reflector stays away for up to 30 s after it failed again and again."""

REFLECTORS = 5 + len(load_schema().kinds)
REQUESTS_EACH = 40
"""What one reflector asks at most in a storm of a minute, by its growing delays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A control plane that sees its API server through a proxy; `server` is that without the faults."""

    server: ApiServer
    proxy: ScriptedApi
    plane: ControlPlane

    async def limits(self) -> dict[str, str]:
        """The request timeout of every policy in force, by name."""
        found = await self.plane.ask("ListPolicies", {"namespace": NAMESPACE})
        specs = {one["policy"]["metadata"]["name"]: one["policy"]["resilience"] for one in found["policies"]}
        return {name: spec["timeouts"]["request"] for name, spec in specs.items()}

    def enforces(self, expected: Mapping[str, str]) -> Condition:
        async def holds() -> bool:
            return await self.limits() == expected

        return holds

    def has_told(self, name: str, generation: int) -> Condition:
        """The condition that the status of a policy is about a generation."""

        async def holds() -> bool:
            found: dict[str, Any] = await self.server.get("resp", name, "-n", NAMESPACE)
            return bool(found.get("status", {}).get("observedGeneration") == generation)

        return holds


@asynccontextmanager
async def place(server: ApiServer, scratch: Path) -> AsyncIterator[Place]:
    await server.create_namespace(NAMESPACE)
    await server.kubectl("delete", "resiliencepolicies", "--all", "-n", NAMESPACE)
    async with scripted(server, scratch) as proxy:
        kubeconfig = write_kubeconfig(
            scratch / "faulty",
            url=proxy.url,
            ca=server.credentials.ca,
            token=ADMIN_TOKEN,
            namespace=NAMESPACE,
        )
        async with cluster_controlplane(scratch, kubeconfig) as plane:
            yield Place(server=server, proxy=proxy, plane=plane)


@pytest.mark.timeout(180)
async def test_nothing_is_missed_in_a_storm_of_faults_and_few_requests_are_made(
    kinds: ApiServer, tmp_path: Path
) -> None:
    async with place(kinds, tmp_path) as here:
        await kinds.apply(service(NAMESPACE, "cart"), *(timeout(name, "1s") for name in ("a", "b", "c")))
        await until(here.enforces({"a": "1s", "b": "1s", "c": "1s"}))
        calm = len(here.proxy.requests)
        busy = Refuse(status=429, headers={"Retry-After": "1"})
        here.proxy.endless.update(
            watch=cycle((Drop(after_seconds=0.2), Refuse(status=410), None, Refuse(status=500))),
            list=cycle((busy, Refuse(status=500), None)),
        )
        here.proxy.cut()
        await kinds.apply(timeout("b", "2s"), timeout("d", "4s"))
        await kinds.kubectl("delete", "resiliencepolicy", "c", "-n", NAMESPACE)
        expected = {"a": "1s", "b": "2s", "d": "4s"}
        await until(here.enforces(expected), timeout_seconds=HEALED_SECONDS)
        stormy = len(here.proxy.requests) - calm
        here.proxy.endless.clear()
        await kinds.apply(timeout("d", "5s"))
        await until(here.enforces(expected | {"d": "5s"}), timeout_seconds=HEALED_SECONDS)
        print(f"{stormy} requests in the storm")  # noqa: T201
        assert stormy <= REFLECTORS * REQUESTS_EACH


async def test_policies_are_enforced_while_statuses_cannot_be_written(
    kinds: ApiServer, tmp_path: Path
) -> None:
    async with place(kinds, tmp_path) as here:
        await kinds.apply(service(NAMESPACE, "cart"), timeout("cart", "1s"))
        await until(here.has_told("cart", 1), timeout_seconds=HEALED_SECONDS)
        here.proxy.endless["write"] = repeat(Refuse(status=500))
        await kinds.apply(timeout("cart", "2s"))
        await until(here.enforces({"cart": "2s"}))
        assert not await here.has_told("cart", 2)()
        here.proxy.endless.clear()
        await until(here.has_told("cart", 2), timeout_seconds=HEALED_SECONDS)


@pytest.mark.timeout(180)
async def test_answers_that_take_30_s_hold_up_what_they_are_about_and_nothing_else(
    kinds: ApiServer, tmp_path: Path
) -> None:
    async with place(kinds, tmp_path) as here:
        await kinds.apply(service(NAMESPACE, "cart"), timeout("cart", "1s"))
        await until(here.enforces({"cart": "1s"}))
        late = chain(repeat(Delay(seconds=30), 40), repeat(None))
        here.proxy.endless.update(list=late, watch=repeat(Refuse(status=410)))
        here.proxy.cut()
        await kinds.apply(timeout("cart", "2s"))
        assert (await here.limits())["cart"] in {"1s", "2s"}, "people are answered at once"
        await until(here.enforces({"cart": "2s"}), timeout_seconds=2 * HEALED_SECONDS)


@pytest.mark.parametrize("seconds", [240, -240])
async def test_a_clock_that_is_wrong_by_minutes_does_no_harm(
    kinds: ApiServer, tmp_path: Path, seconds: int
) -> None:
    namespace = f"skewed-{'ahead' if seconds > 0 else 'behind'}"
    await kinds.create_namespace(namespace)
    kubeconfig = kinds.kubeconfig_with(ADMIN_TOKEN, name=namespace, namespace=namespace)
    environment = clock_moved_by(seconds)
    async with cluster_controlplane(tmp_path, kubeconfig, environment=environment, flags=()) as plane:
        await kinds.apply(policy(namespace, "cart", timeouts={"request": "1s"}))
        await until(lambda: told(kinds, namespace), timeout_seconds=HEALED_SECONDS)
        roots = (await kinds.get("configmap", "breakwater-ca", "-n", namespace))["data"]["ca.crt"]
        trusted = grpc.ssl_channel_credentials(roots.encode())
        async with grpc.aio.secure_channel(f"localhost:{plane.discovery}", trusted) as channel:
            await asyncio.wait_for(channel.channel_ready(), timeout=30)


async def told(server: ApiServer, namespace: str) -> bool:
    found = await server.get("resp", "cart", "-n", namespace)
    return "conditions" in found.get("status", {})


def timeout(name: str, request: str) -> dict[str, Any]:
    return dict(policy(NAMESPACE, name, "cart", timeouts={"request": request}))
