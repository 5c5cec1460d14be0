"""What replicas tell each other survives the wire."""

from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import Message

from controlplane.model.document import ObjectKey
from controlplane.model.event import BreakerState, Event
from controlplane.model.replica import ConvergenceShare, Standing
from controlplane.model.resource import ResourceName, ResourceType, Version
from controlplane.model.sidecar import (
    Attached,
    Hello,
    PolicyConvergence,
    Refusal,
    Rejection,
    ResourceConvergence,
    SidecarState,
    SidecarStatus,
)
from controlplane.model.traffic import Attempts, Counted, Question, Reporter, RowKey, TrafficShare
from controlplane.peers import codec
from controlplane.peers.codec import News
from controlplane.wire.codec import decode_event, decode_sidecar, encode_event, encode_sidecar
from registry.model import ServiceName

M = TypeVar("M", bound=Message)

CART = ServiceName(namespace="shop", name="cart")
OUTBOUND = ResourceName(ResourceType.OUTBOUND, "shop/cart")


def sent(message: M) -> M:
    """A message as it arrives."""
    return type(message).FromString(message.SerializeToString())


def test_standing_of_a_leader_and_of_a_follower() -> None:
    for lead_seconds in (None, 0.0, 1.5):
        standing = Standing(
            revision=7,
            is_complete=True,
            is_store_ready=False,
            connected=20,
            converged=19,
            lead_seconds=lead_seconds,
        )
        assert codec.decode_standing(sent(codec.encode_standing(standing))) == standing


def test_news() -> None:
    news = News(callers={CART: 3, ServiceName(namespace="shop", name="web"): 0}, arrivals={"web-0": 0.25})
    assert codec.decode_news(sent(codec.encode_news(news))) == news


def test_convergence() -> None:
    key = ObjectKey(kind="ResiliencePolicy", namespace="shop", name="cart")
    counts = PolicyConvergence(
        targeted=3, applied=2, rejected=1, refusals=(Refusal(instance="web-0", reason="limits: no"),)
    )
    share = ConvergenceShare(revision=7, policies={key: counts})
    assert codec.decode_convergence(sent(codec.encode_convergence(share))) == share


def test_question_about_traffic() -> None:
    for question in (
        Question(),
        Question(service="shop/cart", outbound=True, window_seconds=60, by_route=True),
    ):
        assert codec.decode_question(sent(codec.encode_question(question))) == question


def test_traffic() -> None:
    counted = Counted(
        key=RowKey("shop/cart", "shop/web", "api/get"),
        requests=10.5,
        failed=1,
        attempts=Attempts(total=12, succeeded=9, cancelled=1),
        buckets=(9, 1.5),
        refused={"breaker.open": 2},
        in_flight={"web-0": 3},
    )
    reporters = (
        Reporter(instance="web-0", age_seconds=1.5, known_seconds=0.0),
        Reporter(instance="web-1", age_seconds=0),
    )
    share = TrafficShare(
        bounds=(0.01,), counted=(counted, Counted(key=RowKey("shop/db"))), reporters=reporters
    )
    assert codec.decode_traffic(sent(codec.encode_traffic(share))) == share


def test_sidecar_with_and_without_its_resources() -> None:
    status = SidecarStatus(
        hello=Hello(instance="web-0", services=(CART,), version="1"),
        state=SidecarState.REJECTED,
        age_seconds=60.5,
        revision=7,
        lag=1,
        last_ack_age_seconds=0.5,
        rejections=(
            Rejection(resource=OUTBOUND, version=Version("b"), field_path="retry", reason="too many"),
        ),
        pushes=3,
        resources=1,
        convergence=(
            ResourceConvergence(resource=OUTBOUND, applied=Version("a"), desired=Version("b")),
            ResourceConvergence(resource=OUTBOUND, applied=None, desired=None),
        ),
    )
    attached = Attached(status=status, resident_bytes=12_000_000)
    assert decode_sidecar(sent(encode_sidecar(attached, with_resources=True))) == attached
    assert decode_sidecar(sent(encode_sidecar(attached, with_resources=False))).status.convergence == ()


def test_event() -> None:
    event = Event(
        instance="web-0",
        at=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
        kind="breaker",
        service=CART,
        endpoint="10.0.0.1:80",
        before=BreakerState.CLOSED,
        after=BreakerState.OPEN,
        reason="error_rate",
        calls=20,
        failures=11,
        slow=3,
        consecutive_failures=2,
    )
    message = sent(encode_event(event))
    assert decode_event(message.instance, message.event) == event
