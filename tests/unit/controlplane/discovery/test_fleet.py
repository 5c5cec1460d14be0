"""The fleet, on a clock that the test moves."""

from dataclasses import dataclass

import pytest

from controlplane.discovery import departed
from controlplane.discovery.codec import Wish
from controlplane.discovery.departed import OFFLINE_NS
from controlplane.discovery.desired import Published
from controlplane.discovery.fleet import Fleet
from controlplane.discovery.subscription import MAX_WANTED
from controlplane.errors import DiscoveryError, DismissedError, ReplacedError, TooManyResourcesError
from controlplane.metrics import Metrics
from controlplane.model.sidecar import Hello, SidecarState
from controlplane.snapshot.attachments import Attachments
from controlplane.snapshot.build import Snapshot
from controlplane.snapshot.inputs import Inputs
from controlplane.snapshot.routes import Routes
from registry.model import ServiceName
from tests.support.builders import COMPILER
from tests.support.clock import FakeClock
from tests.support.desired import host
from tests.support.streams import joined

WEB = ServiceName(namespace="shop", name="web")


def hello(instance: str = "web-0") -> Hello:
    return Hello(instance=instance, services=(WEB,), version="1")


def empty_fleet(clock: FakeClock) -> Fleet:
    snapshot = Snapshot(
        inputs=Inputs(),
        attachments=Attachments(root_namespace="root"),
        routes=Routes(root_namespace="root"),
        resources={},
        schema=COMPILER.schema,
    )
    return Fleet(Published(snapshot, is_settled=True), clock=clock, metrics=Metrics())


@dataclass
class FakeLine:
    error: DiscoveryError | None = None

    def wake(self) -> None:
        pass

    def end(self, error: DiscoveryError) -> None:
        self.error = error


def states(fleet: Fleet) -> dict[str, SidecarState]:
    return {status.hello.instance: status.state for status in fleet.sidecars()}


def test_sidecar_that_left_is_offline_and_forgotten_after_an_hour() -> None:
    clock = FakeClock()
    fleet = empty_fleet(clock)
    with joined(fleet, hello()):
        assert states(fleet) == {"web-0": SidecarState.SYNCED}
    assert states(fleet) == {"web-0": SidecarState.OFFLINE}
    clock.jump(OFFLINE_NS / 1e9 + 1)
    assert states(fleet) == {}


def test_sidecars_that_left_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "OFFLINE_MAX", 2)
    fleet = empty_fleet(FakeClock())
    for number in range(4):
        with joined(fleet, hello(f"web-{number}")):
            pass
    assert set(states(fleet)) == {"web-2", "web-3"}


def test_newer_stream_of_an_instance_outlives_the_older() -> None:
    fleet = empty_fleet(FakeClock())
    older = fleet.join(hello(), {})
    older.line = line = FakeLine()
    fleet.join(hello(), {})
    assert isinstance(line.error, ReplacedError)
    fleet.leave(older)
    assert states(fleet) == {"web-0": SidecarState.SYNCED}


def test_dismissed_sidecars_are_told_once() -> None:
    fleet, line = empty_fleet(FakeClock()), FakeLine()
    with joined(fleet, hello()) as stream:
        stream.line = line
        assert fleet.dismiss() == 1
        assert isinstance(line.error, DismissedError)
        assert stream.line is None


def test_stream_that_left_is_no_reader_any_more() -> None:
    fleet = empty_fleet(FakeClock())
    with joined(fleet, hello()) as stream:
        fleet.subscribe(stream, Wish(wanted=(host("cart.shop"),), unwanted=()))
        assert fleet.readers(host("cart.shop")) == ("web-0",)
    assert fleet.readers(host("cart.shop")) == ()


def test_sidecar_that_asks_for_too_much_is_refused() -> None:
    fleet = empty_fleet(FakeClock())
    names = tuple(host(f"{number}.shop") for number in range(MAX_WANTED + 1))
    with joined(fleet, hello()) as stream, pytest.raises(TooManyResourcesError):
        fleet.subscribe(stream, Wish(wanted=names, unwanted=()))
