"""What reaches sidecars and when, from snapshots to responses, on a clock that the test moves."""

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest

from controlplane.discovery.codec import ResponseEncoder, Wish
from controlplane.discovery.desired import Published
from controlplane.discovery.exchange import Acknowledgement, Response, Stage
from controlplane.discovery.fleet import Fleet
from controlplane.discovery.stream import Stream
from controlplane.errors import DiscoveryError
from controlplane.metrics import Metrics
from controlplane.model.document import Document
from controlplane.model.resource import ResourceName
from controlplane.model.sidecar import Hello
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.diff import diff
from tests.support.builders import COMPILER, policy, service, service_name, snapshot
from tests.support.clock import FakeClock
from tests.support.desired import endpoints, host, outbound
from tests.support.streams import joined

CART = service_name("shop/cart")
HOST = host("cart.shop")
SLOW = policy("timeouts: {request: 2s}")
FAST = policy("timeouts: {request: 1s}")
TICK_SECONDS = 0.02


@dataclass
class Mesh:
    """A fleet whose sidecars apply at once all that they are sent."""

    clock: FakeClock = field(default_factory=FakeClock)
    streams: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        published = Published(snapshot([FAST], [service()]), is_settled=True)
        self.fleet = Fleet(published, clock=self.clock, metrics=Metrics())
        self.encoder = ResponseEncoder()

    def join(self, instance: str = "web-0") -> "Sidecar":
        hello = Hello(instance=instance, services=(), version="1")
        sidecar = Sidecar(self, self.streams.enter_context(joined(self.fleet, hello)))
        self.fleet.subscribe(sidecar.stream, Wish(wanted=(HOST,), unwanted=()))
        sidecar.sent.clear()
        return sidecar

    async def publish(self, after: Snapshot) -> None:
        before = self.fleet.snapshot
        after = replace(after, inputs=replace(after.inputs, revision=before.revision + 1))
        await self.fleet.publish(after, diff(before, after), is_settled=True)

    async def edit(self, document: Document) -> None:
        inputs = replace(self.fleet.snapshot.inputs, documents={document.key: document})
        await self.publish(build(inputs, COMPILER, self.fleet.snapshot))

    async def scale(self, instances: int) -> None:
        inputs = replace(self.fleet.snapshot.inputs, services={CART: service(instances=instances)})
        await self.publish(build(inputs, COMPILER, self.fleet.snapshot))

    async def wait(self, seconds: float = TICK_SECONDS) -> None:
        self.clock.jump(seconds)
        await self.fleet.release()


@dataclass
class Sidecar:
    """Answers with APPLIED as soon as it is sent something, and remembers what that was."""

    mesh: Mesh
    stream: Stream
    sent: list[Response] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stream.line = self

    def wake(self) -> None:
        fleet = self.mesh.fleet
        while response := fleet.respond(self.stream):
            self.sent.append(response)
            self.messages.append(self.mesh.encoder.encode(response, fleet.desired.get))
            fleet.acknowledge(self.stream, Acknowledgement(nonce=response.nonce, stage=Stage.APPLIED))

    def end(self, error: DiscoveryError) -> None:
        raise error

    def has(self, name: ResourceName) -> bool:
        """Whether it applies the newest version."""
        return self.stream.state.applied[name] == self.mesh.fleet.desired.find(name)


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    mesh = Mesh()
    with mesh.streams:
        yield mesh


async def test_lone_edit_goes_at_once_and_is_the_changed_resource_alone(mesh: Mesh) -> None:
    sidecar = mesh.join()
    await mesh.edit(SLOW)
    assert [list(response.resources) for response in sidecar.sent] == [[outbound("shop/cart")]]


async def test_policy_that_flaps_at_50_hz_is_pushed_ten_times_a_second(mesh: Mesh) -> None:
    sidecar = mesh.join()
    for step in range(20 * 50):
        await mesh.edit((SLOW, FAST)[step % 2])
        await mesh.wait()
    assert 20 * 9 <= len(sidecar.sent) <= 20 * 10 + 3  # the first windows are shorter
    await mesh.wait(1)
    assert sidecar.has(outbound("shop/cart"))
    assert not sidecar.stream.state.pending


async def test_memory_is_flat_while_a_policy_flaps(mesh: Mesh) -> None:
    sidecar = mesh.join()

    async def flap() -> int:
        for step in range(100):
            await mesh.edit((SLOW, FAST)[step % 2])
            await mesh.wait()
        sidecar.sent.clear()
        sidecar.messages.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        await flap()
        first = await flap()
        assert await flap() < first + 4096
    finally:
        tracemalloc.stop()


async def test_endpoints_that_churn_hold_up_no_policy_of_their_service(mesh: Mesh) -> None:
    sidecar = mesh.join()
    for step in range(50):
        await mesh.scale(1 + step % 2)
        await mesh.wait()
    sidecar.sent.clear()
    await mesh.edit(SLOW)
    assert [list(response.resources) for response in sidecar.sent] == [[outbound("shop/cart")]]
    await mesh.wait(1)
    assert sidecar.has(endpoints("shop/cart"))


async def test_change_is_encoded_once_for_all_its_readers(mesh: Mesh) -> None:
    sidecars = [mesh.join(f"web-{number}") for number in range(20)]
    await mesh.edit(SLOW)
    assert len({id(sidecar.messages[-1]) for sidecar in sidecars}) == 1


async def test_sidecar_that_reads_nothing_of_what_changed_is_sent_nothing(mesh: Mesh) -> None:
    other = mesh.join("other")
    mesh.fleet.subscribe(other.stream, Wish(wanted=(), unwanted=(HOST,)))
    await mesh.edit(SLOW)
    await mesh.wait(1)
    assert other.sent == []
