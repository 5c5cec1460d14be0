"""Open-loop load is due on time and judged from then on."""

import asyncio

import pytest

from tests.support.load import LoadReport, arrivals_ns, offer


def test_arrivals_repeat_for_a_seed_and_keep_the_rate() -> None:
    first = list(arrivals_ns(1000, 10, seed=1))
    assert first == list(arrivals_ns(1000, 10, seed=1))
    assert first != list(arrivals_ns(1000, 10, seed=2))
    assert first == sorted(first)
    assert len(first) == pytest.approx(10_000, rel=0.05)


def test_a_quantile_is_the_latency_that_so_many_did_not_exceed() -> None:
    report = LoadReport(latencies_ns=[n * 1_000_000 for n in range(100, 0, -1)])
    assert (report.quantile_ms(0.5), report.quantile_ms(0.99), report.quantile_ms(1)) == (51, 100, 100)


def test_no_answer_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="found none"):
        LoadReport().quantile_ms(0.5)


async def test_every_call_is_accounted_for() -> None:
    statuses = iter([200, 503, 0])

    async def call() -> int:
        status = next(statuses, 200)
        if status == 0:
            raise ConnectionResetError
        return status

    report = await offer(call, rate_per_second=1000, seconds=0.1)
    assert report.offered == len(list(arrivals_ns(1000, 0.1, seed=0)))
    assert report.statuses[503] == 1
    assert report.failures == {"ConnectionResetError": 1}
    assert report.succeeded == report.offered - 2
    assert len(report.latencies_ns) == report.statuses.total()


async def test_a_slow_answer_does_not_hold_up_the_next_call() -> None:
    running = most = 0

    async def call() -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        return 200

    report = await offer(call, rate_per_second=500, seconds=0.1)
    assert most > 10
    assert report.quantile_ms(0.5) >= 50
