"""Settings that fit in each policy, and not together."""

from controlplane.analysis import merged
from controlplane.analysis.world import World
from controlplane.model.codes import Code
from controlplane.model.document import Document
from tests.support.builders import mesh, policy, service, snapshot

ROOT = "{kind: Mesh, name: default}"


def found(*documents: Document) -> list[tuple[str, Code, str]]:
    """Whose field does not fit, and where."""
    world = World(snapshot=snapshot(documents, [service()]))
    return [(each.object, each.code, each.path) for each in merged.find(world)]


def everywhere(spec: str) -> Document:
    return policy(spec, name="all", namespace="breakwater-system", target=ROOT)


def test_tries_that_do_not_fit_into_the_time_of_another_policy_are_told() -> None:
    whole = everywhere("timeouts: {request: 1s}")
    own = policy("timeouts: {perTry: 600ms}\nretry: {attempts: 1}")
    assert found(whole, own) == [
        ("ResiliencePolicy breakwater-system/all", Code.RETRIES_TOO_LONG, "spec.timeouts.request"),
        ("ResiliencePolicy shop/cart", Code.RETRIES_TOO_LONG, "spec.retry.attempts"),
    ]
    assert found(everywhere("timeouts: {request: 2s}"), own) == []


def test_a_try_longer_than_the_request_of_the_mesh_is_told() -> None:
    defaults = mesh("defaults: {resilience: {timeouts: {request: 1s}}}")
    own = policy("timeouts: {perTry: 2s}")
    assert found(defaults, own) == [
        ("ResiliencePolicy shop/cart", Code.RETRIES_TOO_LONG, "spec.timeouts.perTry")
    ]


def test_a_hedge_after_the_request_of_the_mesh_is_told() -> None:
    defaults = mesh("defaults: {resilience: {timeouts: {request: 1s}}}")
    assert found(defaults, policy("hedge: {after: 1s}")) == [
        ("ResiliencePolicy shop/cart", Code.HEDGE_NEVER, "spec.hedge.after")
    ]
    assert found(defaults, policy("hedge: {after: p95}")) == []


def test_what_a_policy_was_told_by_itself_is_not_told_again() -> None:
    assert found(policy("timeouts: {request: 1s, perTry: 600ms}\nretry: {attempts: 1}")) == []


def test_a_queue_where_nobody_says_concurrency_is_told() -> None:
    queue = policy("queue: {capacity: 5}", kind="BackpressurePolicy")
    assert found(queue) == [("BackpressurePolicy shop/cart", Code.IDLE, "spec.queue")]
    assert found(queue, mesh("defaults: {backpressure: {concurrency: {limit: 5}}}")) == []
