"""What the embedded store does beyond the contract of every store."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from registry.config import SqliteLocation, StoreOptions
from registry.errors import StoreFormatError, StoreLockedError, StoreUnavailableError
from registry.sqlite import open_sqlite
from tests.support.clock import FakeClock

HOLD = """
import asyncio, sys
from pathlib import Path
from registry.config import SqliteLocation
from registry.sqlite import open_sqlite

async def hold() -> None:
    async with open_sqlite(SqliteLocation(path=Path(sys.argv[1]))) as store:
        lease = await store.grant(15)
        await store.put("/a", b"1", lease=lease.id)
        print(lease.id, flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


@pytest.fixture
def location(tmp_path: Path) -> SqliteLocation:
    return SqliteLocation(path=tmp_path / "state" / "registry.db")


def start_holder(location: SqliteLocation) -> subprocess.Popen[str]:
    """Another process that has the store open, once it has written to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(location.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline().strip()
    return process


async def test_second_process_is_told_what_to_do(location: SqliteLocation) -> None:
    with start_holder(location) as holder:
        try:
            with pytest.raises(StoreLockedError, match=r"registry\.db is in use .* --store sqlite:PATH"):
                async with open_sqlite(location):
                    pass
        finally:
            holder.kill()


async def test_killed_process_leaves_everything_and_the_lease_alive(location: SqliteLocation) -> None:
    with start_holder(location) as holder:
        os.kill(holder.pid, signal.SIGKILL)

    async with open_sqlite(location, clock=FakeClock()) as store:
        entry = await store.get("/a")
        assert entry.value == b"1"
        assert entry.lease
        assert (await store.keep_alive(entry.lease)).ttl_seconds == 15


async def test_lease_of_an_owner_that_stays_away_ends_after_its_time_and_the_reconnect_cap(
    location: SqliteLocation,
) -> None:
    clock = FakeClock()
    async with open_sqlite(location, clock=clock) as store:
        lease = await store.grant(15)
        await store.put("/a", b"", lease=lease.id)

    async with open_sqlite(location, clock=clock) as store:
        await clock.advance(18.9)
        assert len((await store.list("/a")).entries) == 1
        await clock.advance(0.2)
        assert (await store.list("/a")).entries == ()


async def test_stall_of_the_process_costs_no_lease() -> None:
    clock = FakeClock()
    async with open_sqlite(SqliteLocation(path=None), clock=clock) as store:
        lease = await store.grant(15)
        await clock.advance(1)
        clock.jump(60)
        await clock.advance(14)

        assert await store.keep_alive(lease.id) == lease


async def test_file_of_another_program_is_refused_and_left_alone(location: SqliteLocation) -> None:
    assert location.path
    location.path.parent.mkdir()
    with sqlite3.connect(location.path) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    connection.close()
    before = location.path.read_bytes()

    with pytest.raises(StoreFormatError, match="give --store another file"):
        async with open_sqlite(location):
            pass
    assert location.path.read_bytes() == before


async def test_file_that_is_no_database_is_refused(location: SqliteLocation) -> None:
    assert location.path
    location.path.parent.mkdir()
    location.path.write_bytes(b"not a database" * 100)

    with pytest.raises(StoreUnavailableError, match="not a database"):
        async with open_sqlite(location):
            pass


async def test_directory_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailableError, match="expected to reach the store"):
        async with open_sqlite(SqliteLocation(path=tmp_path / "file" / "registry.db")):
            pass


async def test_history_on_disk_stays_within_its_bound(location: SqliteLocation) -> None:
    assert location.path
    options = StoreOptions(history_revisions=10)
    async with open_sqlite(location, options=options) as store:
        for _ in range(30):
            await store.put("/a", b"")

    connection = sqlite3.connect(location.path)
    (rows,) = connection.execute("SELECT count(*) FROM history").fetchone()
    connection.close()
    assert rows == 10
