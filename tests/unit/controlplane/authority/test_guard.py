"""Whose token it is, is asked for again after 10 s at most."""

from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from controlplane.authority.guard import CACHE_SECONDS, CallerGuard
from controlplane.caller import CALLER
from controlplane.errors import ReviewError
from controlplane.model.identity import Identity
from tests.support.clock import FakeClock

CART = Identity(namespace="shop", service_account="cart", pod="cart-0")
STREAM = "/mesh.v1.DiscoveryService/Stream"
SERVED = object()


@dataclass(slots=True)
class Reviews:
    """Knows the tokens it is told, and counts questions; `error` says that it cannot be asked."""

    tokens: dict[str, Identity] = field(default_factory=lambda: {"good": CART})
    asked: int = 0
    error: str = ""

    async def __call__(self, token: str) -> Identity | None:
        self.asked += 1
        if self.error:
            raise ReviewError(self.error)
        return self.tokens.get(token)


@dataclass(slots=True)
class Details(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...]


class Refused(Exception):  # noqa: N818 (it is an answer)
    pass


class Context:
    async def abort(self, code: grpc.StatusCode, reason: str) -> None:
        raise Refused(code, reason)


async def answer(guard: CallerGuard, token: str, method: str = STREAM) -> Any:
    """What becomes of a call: SERVED, or the code it is refused with."""

    async def serve(_: object) -> object:
        return SERVED

    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    handler = await guard.intercept_service(serve, Details(method, metadata))
    if handler is SERVED:
        return SERVED
    with pytest.raises(Refused) as caught:
        await handler.stream_stream(None, Context())
    return caught.value.args[0]


async def test_a_token_is_reviewed_once_in_ten_seconds() -> None:
    reviews, clock = Reviews(), FakeClock()
    guard = CallerGuard(reviews, clock)
    assert [await answer(guard, "good") for _ in range(3)] == [SERVED] * 3
    assert CALLER.get() == CART
    assert reviews.asked == 1
    reviews.tokens.clear()
    await clock.advance(CACHE_SECONDS)
    assert await answer(guard, "good") is grpc.StatusCode.UNAUTHENTICATED


async def test_a_wrong_token_is_never_remembered() -> None:
    reviews = Reviews()
    guard = CallerGuard(reviews, FakeClock())
    assert await answer(guard, "bad") is grpc.StatusCode.UNAUTHENTICATED
    reviews.tokens["bad"] = CART
    assert await answer(guard, "bad") is SERVED


@pytest.mark.parametrize("token", ["", "x" * 8_193])
async def test_what_can_be_no_token_is_refused_without_a_question(token: str) -> None:
    reviews = Reviews()
    assert await answer(CallerGuard(reviews, FakeClock()), token) is grpc.StatusCode.UNAUTHENTICATED
    assert reviews.asked == 0


async def test_while_the_cluster_is_away_known_sidecars_are_served_and_others_sent_on() -> None:
    reviews, clock = Reviews(), FakeClock()
    guard = CallerGuard(reviews, clock)
    assert await answer(guard, "good") is SERVED
    reviews.error = "connection refused"
    assert await answer(guard, "good") is SERVED
    assert await answer(guard, "another") is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", "/mesh.v1.PeerService/Follow"])
async def test_health_and_peers_have_rules_of_their_own(method: str) -> None:
    assert await answer(CallerGuard(Reviews(), FakeClock()), "", method) is SERVED


async def test_a_pod_registers_nothing() -> None:
    guard = CallerGuard(Reviews(), FakeClock())
    code = await answer(guard, "good", "/mesh.v1.RegistryService/Register")
    assert code is grpc.StatusCode.PERMISSION_DENIED
