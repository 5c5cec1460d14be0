"""`breakwater registry`, while instances come and go."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.commandline import CODE, TIMEOUT_SECONDS, breakwater
from tests.support.control_plane import Plane, running_plane
from tests.support.registrations import registration


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path) as plane:
        yield plane


@asynccontextmanager
async def watching(plane: Plane, *words: str) -> AsyncIterator[asyncio.StreamReader]:
    """What `registry watch` prints while the block runs."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CODE, "registry", "watch", *words),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "BREAKWATER_ADMIN": str(plane.bound.admin)},
    )
    assert child.stdout
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield child.stdout
    finally:
        child.terminate()
        await child.wait()


async def row(lines: asyncio.StreamReader) -> list[str]:
    return (await lines.readline()).decode().split()


async def test_watch_shows_instances_as_they_come_and_go(plane: Plane) -> None:
    lease = await plane.registry.register(registration("a"))
    async with watching(plane) as lines:
        assert await row(lines) == ["CHANGE", "SERVICE", "ENDPOINT", "STATE"]
        assert await row(lines) == ["present", "shop/cart", "-", "http:80"]
        assert await row(lines) == ["present", "shop/cart", "a", "127.0.0.1", "http:8080", "HEALTHY"]
        await plane.registry.register(registration("b"))
        assert (await row(lines))[:3] == ["joined", "shop/cart", "b"]
        await plane.registry.deregister(lease.id)
        assert (await row(lines))[:3] == ["left", "shop/cart", "a"]


async def test_watch_is_a_line_of_json_a_change_for_programs(plane: Plane) -> None:
    await plane.registry.register(registration("a"))
    async with watching(plane, "-o", "json") as lines:
        change, mark = [json.loads(await lines.readline()) for _ in range(2)]
    assert (change["kind"], change["service"]["name"]["name"]) == ("RegistryChange", "cart")
    assert (mark["mark"], mark["revision"]) == ("MARK_CHANGES", change["revision"])


async def test_endpoints_are_shown_with_what_they_are_there_by(plane: Plane) -> None:
    await plane.registry.register(registration("a"), ttl_seconds=20)
    outcome = await breakwater("registry", "endpoints", "shop/cart", admin=plane.bound.admin.port)
    heading, one = (line.split() for line in outcome.out.splitlines())
    shown = dict(zip(heading, one, strict=True))
    assert (shown["ENDPOINT"], shown["HEALTH"], shown["LEASE"]) == ("a", "HEALTHY", "20s")
    assert shown["AGE"].endswith("s")
