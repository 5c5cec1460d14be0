"""Defaults of blocks that are present."""

from controlplane.model.value import Duration, Tree, find, find_block
from controlplane.policy.defaults import fill
from controlplane.policy.resilience import complete
from tests.support.builders import SCHEMA

RESILIENCE = SCHEMA.blocks["Resilience"]
MILLISECOND = 1_000_000


def completed(tree: Tree) -> Tree:
    return complete(tree, RESILIENCE)


def test_no_block_no_behaviour() -> None:
    assert completed({}) == {}


def test_a_retry_block_always_has_a_delay_and_a_budget() -> None:
    assert completed({"retry": {}})["retry"] == {
        "attempts": 2,
        "when": (
            "ConnectFailure",
            "PerTryTimeout",
            "RefusedStream",
            "Reset",
            "502",
            "503",
            "504",
            "Unavailable",
        ),
        "methods": ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"),
        "strategy": "FullJitter",
        "backoff": {
            "base": Duration(25 * MILLISECOND),
            "multiplier": 2,
            "max": Duration(250 * MILLISECOND),
            "jitter": Duration(25 * MILLISECOND),
        },
        "replayBytes": 65536,
        "honorRetryAfter": True,
        "budget": {
            "percent": 20,
            "interval": Duration(10_000 * MILLISECOND),
            "minRetryRate": {"count": 10, "interval": Duration(1_000 * MILLISECOND)},
        },
    }


def test_timeouts_without_a_default_stay_unbounded() -> None:
    timeouts = find_block(completed({"timeouts": {}}), "timeouts") or {}
    assert set(timeouts) == {"connect", "request", "idle", "streamIdle"}


def test_one_breaker_does_not_bring_the_other() -> None:
    assert find(completed({"breaker": {"endpoint": {}}}), "breaker.service") is None


def test_an_absent_trip_is_as_documented() -> None:
    tree = completed({"breaker": {"service": {}}})
    assert find(tree, "breaker.service.trip") == {"errorRate": 50, "consecutiveFailures": 5}


def test_in_a_trip_that_is_present_what_is_not_named_is_off() -> None:
    tree = completed({"breaker": {"service": {"trip": {"consecutiveFailures": 3}}}})
    assert find(tree, "breaker.service.trip") == {"consecutiveFailures": 3}


def test_a_success_threshold_is_the_default_without_probes() -> None:
    assert find(completed({"breaker": {"service": {}}}), "breaker.service.halfOpen.successThreshold") == 3
    probes = completed({"breaker": {"service": {"halfOpen": {"probes": 10}}}})
    assert find(probes, "breaker.service.halfOpen.successThreshold") is None


def test_a_bulkhead_queues_as_many_as_it_runs() -> None:
    assert completed({"bulkhead": {}})["bulkhead"] == {"maxConcurrent": 100, "maxQueue": 100}
    assert completed({"bulkhead": {"maxConcurrent": 7}})["bulkhead"] == {"maxConcurrent": 7, "maxQueue": 7}
    assert find(completed({"bulkhead": {"maxQueue": 0}}), "bulkhead.maxQueue") == 0


def test_lists_of_blocks_are_filled_each() -> None:
    limit: Tree = {"name": "a", "requests": 1, "per": Duration(1)}
    filled = fill({"limits": (limit,)}, SCHEMA.kinds["RateLimitPolicy"].spec)
    assert filled["limits"] == (
        {
            "name": "a",
            "onMissing": "ShareOne",
            "algorithm": "TokenBucket",
            "requests": 1,
            "per": Duration(1),
            "cost": {"fixed": 1},
            "countRefused": False,
            "maxKeys": 65536,
            "whenKeysFull": "ShareOne",
            "queue": 0,
            "maxWait": Duration(1_000_000_000),
            "evict": "Newest",
            "aligned": True,
            "buckets": 1,
            "scope": "PerSidecar",
        },
    )


def test_a_cost_read_from_a_header_has_no_fixed_one() -> None:
    assert fill({"header": "x-cost"}, SCHEMA.blocks["LimitCost"]) == {"header": "x-cost"}
