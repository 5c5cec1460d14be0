"""The demo's live table: on a terminal it is drawn in place, elsewhere it is printed now and then."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from controlplane.cli import figures
from controlplane.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from controlplane.demo.mesh import Mesh

_REFRESH_SECONDS = 1.0
_PLAIN_SECONDS = 10.0
_PLAIN_WIDTH = 200
_COLUMNS = ("SERVICE", "RPS", "SUCCESS", "P50", "P99", "RETRIES", "BREAKER", "LIMITED", "FILL")


class Screen:
    """Shows the table and what the story says."""

    def __init__(self, mesh: Mesh) -> None:
        """Show `mesh` once entered."""
        self._mesh = mesh
        width = None if sys.stdout.isatty() else _PLAIN_WIDTH
        self._console = Console(highlight=False, markup=False, width=width)
        self._live = Live(console=self._console, auto_refresh=False) if sys.stdout.isatty() else None
        self._task: asyncio.Task[None] | None = None
        self.title = ""

    async def __aenter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        self._task = asyncio.create_task(self._refresh())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS if self._live is not None else _PLAIN_SECONDS)
            table = await self._table()
            if self._live is not None:
                self._live.update(Group(Text(self.title, style="bold"), table), refresh=True)
            else:
                self._console.print(table)

    async def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in _COLUMNS:
            table.add_column(column, no_wrap=True)
        for row in await rows(self._mesh):
            table.add_row(*row)
        return table


async def rows(mesh: Mesh) -> list[list[str]]:
    """Return the table's rows, one a service; one that says so when the control plane is away."""
    try:
        inbound, outbound, breakers, limits = await asyncio.gather(
            mesh.ask("ListTraffic", {"window": "5s"}),
            mesh.ask("ListTraffic", {"window": "5s", "outbound": True}),
            mesh.ask("ListBreakers"),
            mesh.ask("ListLimits"),
        )
    except CommandError:
        return [["(the control plane is away; traffic goes on)", *[""] * (len(_COLUMNS) - 1)]]
    retries = _retries(outbound["traffic"])
    return [_row(one, retries, breakers["breakers"], limits["limits"]) for one in inbound["traffic"]]


def _row(
    traffic: dict[str, Any],
    retries: Mapping[str, float],
    breakers: list[dict[str, Any]],
    limits: list[dict[str, Any]],
) -> list[str]:
    name = figures.service(traffic["service"])
    states = {
        figures.state(one["breaker"]["state"])
        for one in breakers
        if figures.service(one["breaker"]["service"]) == name and not one["breaker"]["endpoint"]
    }
    limited = sum(
        rate for reason, rate in traffic["refusedPerSecond"].items() if reason.startswith("ratelimit.")
    )
    return [
        name,
        f"{traffic['requestsPerSecond']:.0f}",
        figures.percent(traffic["successRatio"]),
        figures.latency(traffic.get("p50")),
        figures.latency(traffic.get("p99")),
        f"{retries[name]:.1f}/s" if retries.get(name) else "-",
        "/".join(sorted(states)) or "-",
        f"{limited:.0f}/s" if limited else "-",
        _fill([one["limit"] for one in limits if figures.service(one["limit"]["service"]) == name]),
    ]


def _fill(limits: list[dict[str, Any]]) -> str:
    used = [1 - int(one["remaining"]) / int(one["capacity"]) for one in limits if int(one["capacity"])]
    return f"{max(used):.0%}" if used else "-"


def _retries(outbound: list[dict[str, Any]]) -> dict[str, float]:
    """Return the retries per second of all callers by the service called."""
    found: dict[str, float] = {}
    for one in outbound:
        name = figures.service(one["service"])
        extra = max(0.0, one["attemptsPerSecond"] - one["requestsPerSecond"])
        found[name] = found.get(name, 0.0) + extra
    return found
