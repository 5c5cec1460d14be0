"""Reports over real sockets: merged on the metrics page, and in what people ask."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from mesh.v1 import admin_pb2, telemetry_pb2
from mesh.v1.telemetry_pb2_grpc import TelemetryServiceStub
from tests.support.control_plane import Plane, running_plane
from tests.support.light_reporter import CART, reported, reporting
from tests.support.readiness import until


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path) as plane:
        yield plane


async def send(plane: Plane, *reports: telemetry_pb2.ReportRequest) -> list[telemetry_pb2.ReportResponse]:
    stream = TelemetryServiceStub(plane.sidecars).Report(iter(reports))
    return [response async for response in stream]


async def page(plane: Plane, path: str = "/metrics") -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{plane.bound.http}{path}") as response,
    ):
        assert response.status == 200
        return await response.text()


async def test_metrics_page_shows_the_sum_over_sidecars(plane: Plane) -> None:
    epoch = time.time() - 30
    await send(
        plane, reported("cart-0", 10, epoch_seconds=epoch), reported("cart-0", 12, epoch_seconds=epoch)
    )
    await send(plane, reported("cart-1", 5, epoch_seconds=epoch))
    lines = (await page(plane)).splitlines()
    labels = 'code_class="2xx",direction="inbound",grpc_status="",peer="",reason="",service="shop/cart"'
    assert f"breakwater_requests_total{{{labels}}} 17.0" in lines
    labels = 'direction="inbound",le="+Inf",peer="",service="shop/cart"'
    assert f"breakwater_request_duration_seconds_bucket{{{labels}}} 12.0" in lines
    assert "breakwater_controlplane_registry_up 1.0" in lines
    assert 'breakwater_controlplane_streams{state="synced"} 0.0' in lines


async def test_response_paces_the_reporter_and_counts_the_live_callers(plane: Plane) -> None:
    epoch = time.time()
    async with reporting(plane.sidecars) as web_0, reporting(plane.sidecars) as web_1:
        await web_0(reported("web-0", 1, epoch_seconds=epoch))
        response = await web_1(reported("web-1", 1, epoch_seconds=epoch))
    assert response.interval.ToTimedelta().total_seconds() == 2
    assert [(one.service, one.live_callers) for one in response.callers] == [(CART, 2)]


async def test_sidecar_whose_stream_ended_is_no_live_caller(plane: Plane) -> None:
    epoch = time.time()
    await send(plane, reported("web-0", 1, epoch_seconds=epoch))
    async with reporting(plane.sidecars) as web_1:

        async def counts_only_itself() -> bool:
            response = await web_1(reported("web-1", 1, epoch_seconds=epoch))
            return [one.live_callers for one in response.callers] == [1]

        await until(counts_only_itself)


async def test_traffic_is_what_was_reported_of_the_window(plane: Plane) -> None:
    async with reporting(plane.sidecars) as cart_0:
        await cart_0(reported("cart-0", 400, epoch_seconds=time.time() - 40))
        response = await plane.admin.ListTraffic(admin_pb2.ListTrafficRequest(window=Duration(seconds=10)))
    [traffic] = response.traffic
    assert (traffic.service, traffic.success_ratio, traffic.sidecars) == (CART, 1.0, 1)
    assert traffic.requests_per_second == pytest.approx(10, rel=0.05)
    assert traffic.p50.ToTimedelta().total_seconds() > 0


async def test_outbound_traffic_has_a_row_for_each_caller(plane: Plane) -> None:
    epoch = time.time() - 40
    await send(plane, reported("web-0", 400, epoch_seconds=epoch, peer="shop/web"))
    await send(plane, reported("batch-0", 40, epoch_seconds=epoch, peer="shop/batch"))
    response = await plane.admin.ListTraffic(admin_pb2.ListTrafficRequest(service=CART, outbound=True))
    assert [(one.service, one.peer) for one in response.traffic] == [(CART, "shop/batch"), (CART, "shop/web")]
    assert [one.requests_per_second for one in response.traffic] == pytest.approx([1, 10], rel=0.05)


async def test_what_another_replica_counted_is_not_counted_again(plane: Plane) -> None:
    epoch = time.time() - 30
    moved = reported("cart-0", 12, epoch_seconds=epoch)
    moved.at.FromNanoseconds(round((epoch + 20) * 1e9))
    moved.baseline.families.extend(reported("cart-0", 10, epoch_seconds=epoch).families)
    moved.baseline.at.FromNanoseconds(round((epoch + 18) * 1e9))
    await send(plane, moved)
    labels = 'code_class="2xx",direction="inbound",grpc_status="",peer="",reason="",service="shop/cart"'
    assert f"breakwater_requests_total{{{labels}}} 2.0" in (await page(plane)).splitlines()


async def test_report_that_comes_too_late_is_not_counted(plane: Plane) -> None:
    epoch = time.time() - 60
    reports = [reported("cart-0", count, epoch_seconds=epoch) for count in (10, 12)]
    for report, seconds in zip(reports, (60, 40), strict=True):
        report.at.FromNanoseconds(round((epoch + seconds) * 1e9))
    with pytest.raises(grpc.aio.AioRpcError, match="told elsewhere"):
        await send(plane, *reports)
    labels = 'code_class="2xx",direction="inbound",grpc_status="",peer="",reason="",service="shop/cart"'
    assert f"breakwater_requests_total{{{labels}}} 10.0" in (await page(plane)).splitlines()


async def test_events_are_kept_in_the_order_of_their_reports(plane: Plane) -> None:
    request = telemetry_pb2.ReportRequest(instance="web-0")
    for state in (telemetry_pb2.BREAKER_STATE_OPEN, telemetry_pb2.BREAKER_STATE_HALF_OPEN):
        request.events.append(
            telemetry_pb2.Event(kind="breaker", service=CART, to=state, reason="error_rate")
        )
    await send(plane, request)
    response = await plane.admin.ListEvents(admin_pb2.ListEventsRequest(service=CART))
    assert [one.event.to for one in response.events] == [
        telemetry_pb2.BREAKER_STATE_OPEN,
        telemetry_pb2.BREAKER_STATE_HALF_OPEN,
    ]
    assert {one.instance for one in response.events} == {"web-0"}


async def test_health_pages_say_that_it_lives_and_is_ready(plane: Plane) -> None:
    assert await page(plane, "/healthz") == "ok\n"
    assert await page(plane, "/readyz") == "ready\n"
    assert "ok: registry reachable" in await page(plane, "/readyz?verbose")
