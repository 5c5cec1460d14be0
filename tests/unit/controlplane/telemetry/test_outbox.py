"""Spans that wait for a collector."""

import asyncio

import pytest
from structlog.testing import capture_logs

from controlplane.counters import Counter
from controlplane.telemetry.outbox import BATCH_BYTES, MOST_BYTES, NEXT_STEP, REMINDER_NS, Batch, Outbox


class Box:
    """An outbox with a clock of its own."""

    def __init__(self, *, has_collector: bool = True) -> None:
        self.now_ns = 0
        self._count = Counter("spans_total", "", ("result",))
        self.outbox = Outbox(self._count, lambda: self.now_ns, has_collector=has_collector)

    def counted(self, result: str) -> float:
        [metric] = self._count.collect()
        return sum(one.value for one in metric.samples if one.labels == {"result": result})

    def put(self, spans: int, body: bytes) -> None:
        self.outbox.put(spans, lambda: body)

    def take(self) -> Batch:
        return asyncio.run(self.outbox.take())


def test_what_waits_is_sent_as_one() -> None:
    box = Box()
    box.put(2, b"one")
    box.put(3, b"two")
    assert box.take() == Batch(b"onetwo", 5)


def test_a_batch_has_an_end() -> None:
    box = Box()
    for _ in range(3):
        box.put(1, bytes(BATCH_BYTES // 2))
    assert [box.take().spans, box.take().spans] == [2, 1]


def test_whoever_takes_waits_for_the_next() -> None:
    box = Box()
    box.put(1, b"one")
    box.take()

    async def next_one() -> Batch:
        waiting = asyncio.ensure_future(box.outbox.take())
        await asyncio.sleep(0)
        assert not waiting.done()
        box.put(1, b"two")
        return await waiting

    assert asyncio.run(next_one()).body == b"two"


def test_what_finds_no_room_is_lost_and_counted() -> None:
    box = Box()
    box.put(1, bytes(MOST_BYTES))
    box.put(7, b"more")
    assert box.counted("lost") == 7
    box.take()
    box.put(1, b"again")
    assert (box.counted("lost"), box.take().body) == (7, b"again")


def test_without_a_collector_nothing_is_encoded_and_the_log_says_what_to_do() -> None:
    box = Box(has_collector=False)
    with capture_logs() as logs:
        box.outbox.put(2, lambda: pytest.fail("nobody reads it"))
        box.put(1, b"")
        box.now_ns += REMINDER_NS
        box.put(4, b"")
    assert box.counted("lost") == 7
    assert [(one["event"], one["spans"], one["next_step"]) for one in logs] == [
        ("spans lost", 2, NEXT_STEP),
        ("spans lost", 4, NEXT_STEP),
    ]


def test_what_a_collector_took_is_counted() -> None:
    box = Box()
    box.outbox.sent(3)
    assert box.counted("exported") == 3
