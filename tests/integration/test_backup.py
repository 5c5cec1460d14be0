"""Backups of each store, taken and put back as docs/registry.md says."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mesh.v1 import admin_pb2, resource_pb2
from registry.config import SqliteLocation, parse_location
from registry.mirror import mirroring
from registry.opening import open_store
from registry.sqlite import open_sqlite
from registry.store import Listing, Store
from tests.support.control_plane import Plane, policy, running_plane
from tests.support.desired import outbound
from tests.support.etcd import one_member
from tests.support.light_sidecar import LightSidecar, light_sidecar
from tests.support.readiness import Condition, that, until
from tests.support.registrations import registration

OUTBOUND = outbound("shop/cart")
KEY, LATER = "/breakwater/policies/kept", "/breakwater/policies/later"


def keys(listing: Listing) -> list[str]:
    return [entry.key for entry in listing.entries]


async def test_files_of_sqlite_copied_while_nobody_has_them_open_are_a_backup(tmp_path: Path) -> None:
    folder, backup = tmp_path / "state", tmp_path / "backup"
    location = SqliteLocation(path=folder / "registry.db")
    async with open_sqlite(location) as store:
        await store.put(KEY, b"1")
    shutil.copytree(folder, backup)
    async with open_sqlite(location) as store:
        await store.put(LATER, b"1")
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    async with open_sqlite(location) as store:
        assert keys(await store.list("")) == [KEY]
        await store.put(LATER, b"2")


@pytest.mark.parametrize(
    "options", [("--bump-revision=1000000", "--mark-compacted"), ()], ids=["as documented", "without options"]
)
async def test_snapshot_of_etcd_is_taken_over_by_control_planes_that_run(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    async with (
        one_member(tmp_path / "etcd") as member,
        open_store(parse_location(member.location)) as store,
        mirroring(store, "/breakwater/") as mirror,
    ):
        await store.put(KEY, b"1")
        await member.save(tmp_path / "snapshot")
        await fill(store)
        await member.process.kill()
        await member.restore(tmp_path / "snapshot", *options)
        await member.process.start()
        await member.ready()
        await until(that(lambda: list(mirror.entries) == [KEY]), timeout_seconds=20)
        revision = await store.put(LATER, b"2")
        await until(that(lambda: mirror.revision == revision))
        assert list(mirror.entries) == [KEY, LATER]
        assert mirror.repairs == 0


async def test_backup_that_is_put_back_is_pushed_as_a_newer_revision(tmp_path: Path) -> None:
    folder, backup = tmp_path / "state", tmp_path / "backup"
    store = f"sqlite:{folder / 'registry.db'}"
    async with running_plane(tmp_path, store=store) as plane:
        await apply(plane, policy("1s"))
    shutil.copytree(folder, backup)
    async with running_plane(tmp_path, store=store) as plane:
        for timeout in ("2s", "3s"):
            seen = await apply(plane, policy(timeout))
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    async with (
        running_plane(tmp_path, store=store) as plane,
        light_sidecar(plane.sidecars, "web-0", OUTBOUND, revision=seen) as sidecar,
    ):
        await plane.registry.register(registration())
        await sidecar.until(lambda one: timeout_of(one) == 1 and one.revision > seen)
        await until(has_revisions(plane, "renumbered", "admin"))
        told = sidecar.revision
        assert await apply(plane, policy("4s")) > told
        await sidecar.until(lambda one: timeout_of(one) == 4)


async def test_snapshot_of_etcd_is_pushed_as_a_newer_revision_while_control_planes_run(
    tmp_path: Path,
) -> None:
    async with (
        one_member(tmp_path / "etcd") as member,
        running_plane(tmp_path, store=member.location) as plane,
        light_sidecar(plane.sidecars, "web-0", OUTBOUND) as sidecar,
    ):
        await plane.registry.register(registration(), ttl_seconds=60)
        await apply(plane, policy("1s"))
        await member.save(tmp_path / "snapshot")
        for timeout in ("2s", "3s"):
            seen = await apply(plane, policy(timeout))
        await sidecar.until(lambda one: timeout_of(one) == 3)
        await member.process.kill()
        await member.restore(tmp_path / "snapshot", "--bump-revision=1000000", "--mark-compacted")
        await member.process.start()
        await member.ready()
        await sidecar.until(lambda one: timeout_of(one) == 1, timeout_seconds=20)
        assert sidecar.revision > seen
        await until(has_revisions(plane, "renumbered", "admin"))
        told = sidecar.revision
        assert await apply(plane, policy("4s")) > told
        await sidecar.until(lambda one: timeout_of(one) == 4)


async def test_file_of_sqlite_cannot_be_read_by_others_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    async with open_sqlite(SqliteLocation(path=path)) as store:
        await store.put(KEY, b"1")
        with (
            closing(sqlite3.connect(path, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))


async def apply(plane: Plane, text: str) -> int:
    manifest = admin_pb2.Manifest(file="cart.yaml", text=text)
    return (await plane.admin.ApplyPolicies(admin_pb2.ApplyPoliciesRequest(manifests=[manifest]))).revision


async def revisions(plane: Plane) -> list[str]:
    """Return who made each revision, newest first."""
    answer = await plane.admin.ListRevisions(admin_pb2.ListRevisionsRequest())
    return [one.origin for one in answer.revisions]


def has_revisions(plane: Plane, *origins: str) -> Condition:
    async def holds() -> bool:
        return await revisions(plane) == list(origins)

    return holds


def timeout_of(sidecar: LightSidecar) -> int:
    body = resource_pb2.Outbound.FromString(sidecar.bodies.get(OUTBOUND, b""))
    return body.variants[0].resilience.timeouts.request.seconds if body.variants else 0


async def fill(store: Store) -> None:
    """Makes the store go on far enough for the restored one to be behind."""
    for _ in range(20):
        await store.put(LATER, b"1")
