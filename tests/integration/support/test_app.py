"""The application counts its calls and answers as told; open-loop load finds it."""

import aiohttp

from tests.support.app import App, Reply
from tests.support.load import getting, offer


async def test_the_reply_may_change_at_any_time() -> None:
    async with App() as app, aiohttp.ClientSession() as session:
        call = getting(session, f"http://127.0.0.1:{app.port}/a", host="cart.shop", traceparent="00-1")
        assert await call() == 200
        app.reply = Reply(status=503, headers={"x-reason": "test"})
        assert await call() == 503
    assert app.calls == {"/a": 2}
    assert (app.headers["Host"], app.headers["traceparent"]) == ("cart.shop", "00-1")


async def test_latency_of_a_slow_application_counts_its_delay() -> None:
    async with App(Reply(delay_seconds=0.05)) as app, aiohttp.ClientSession() as session:
        report = await offer(
            getting(session, f"http://127.0.0.1:{app.port}/", host="svc"), rate_per_second=100, seconds=0.3
        )
    assert report.succeeded == report.offered == app.calls["/"]
    assert report.quantile_ms(0) >= 50
