"""The load of one run: `wrk` on its core, and its report as figures."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

CONNECTIONS = 64
HOST = "origin.bench"

# About 650 bytes of request with the ten: what a browser behind a mesh sends.
TEN_HEADERS = (
    "User-Agent: mesh-client/1.4 (linux; x86_64)",
    "Accept: application/json",
    "Accept-Encoding: gzip, br",
    "X-Request-Id: 6f9619ff-8b86-d011-b42d-00c04fc964ff",
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Authorization: Bearer " + "a1b2c3d4" * 30,
    "Cookie: sid=0123456789abcdef0123456789abcdef; theme=dark",
    "X-Tenant: blue",
    "X-Forwarded-Proto: https",
    "Cache-Control: no-cache",
)

# Workload to the request headers that it adds.
WORKLOADS: dict[str, tuple[str, ...]] = {"sat": (), "satH": TEN_HEADERS}

_UNIT_US = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What the load generator saw; `errors` counts broken connections, timeouts and answers not 2xx."""

    requests: int
    errors: int
    requests_per_second: float
    p50_us: float
    p99_us: float


async def saturate(port: int, *, headers: Sequence[str], seconds: int, core: int) -> LoadResult:
    """Return what 64 connections saw that asked for `/` on a loopback port as fast as they were answered."""
    options = [option for header in (f"Host: {HOST}", *headers) for option in ("-H", header)]
    child = await asyncio.create_subprocess_exec(
        *("taskset", "-c", str(core)),
        *(
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "--latency",
            *options,
            f"http://127.0.0.1:{port}/",
        ),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(seconds + 15):
        output, _ = await child.communicate()
    return parse_wrk(output.decode())


def parse_wrk(output: str) -> LoadResult:
    """Return the figures of a `wrk --latency` report.

    Raises:
        ValueError: The report lacks one of them.
    """
    socket_errors = re.findall(r"(?:connect|read|write|timeout) (\d+)", output)
    refused = re.findall(r"Non-2xx or 3xx responses: (\d+)", output)
    return LoadResult(
        requests=int(_figure(r"(\d+) requests in", output)),
        errors=sum(map(int, socket_errors + refused)),
        requests_per_second=float(_figure(r"Requests/sec:\s+([\d.]+)", output)),
        p50_us=_microseconds(_figure(r"^\s+50%\s+(\S+)", output)),
        p99_us=_microseconds(_figure(r"^\s+99%\s+(\S+)", output)),
    )


def _figure(pattern: str, output: str) -> str:
    found = re.search(pattern, output, re.MULTILINE)
    if found is None:
        raise ValueError(f"expected {pattern!r} in the report of wrk, found:\n{output}")
    return found[1]


def _microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # wrk's own format
    return float(number) * _UNIT_US[unit]
