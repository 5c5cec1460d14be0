"""Backups of each store, taken and put back as docs/registry.md says."""

import shutil
from pathlib import Path

import pytest

from registry.config import SqliteLocation, parse_location
from registry.mirror import mirroring
from registry.opening import open_store
from registry.sqlite import open_sqlite
from registry.store import Listing, Store
from tests.support.etcd import one_member
from tests.support.readiness import that, until

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


async def fill(store: Store) -> None:
    """Makes the store go on far enough for the restored one to be behind."""
    for _ in range(20):
        await store.put(LATER, b"1")
