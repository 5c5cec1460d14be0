"""Live callers."""

from controlplane.telemetry.callers import WINDOW_NS, Callers
from registry.model import ServiceName

CART = ServiceName(namespace="shop", name="cart")


def test_sidecars_that_called_within_the_window_are_counted() -> None:
    callers = Callers()
    callers.take("web-0", [CART], 0)
    callers.take("web-1", [CART], WINDOW_NS)
    assert callers.count(CART, WINDOW_NS) == 2
    assert callers.count(CART, WINDOW_NS + 1) == 1


def test_counts_are_of_the_services_called_within_the_window() -> None:
    callers = Callers()
    callers.take("web-0", [CART], 0)
    assert callers.counts(WINDOW_NS) == {CART: 1}
    assert callers.counts(WINDOW_NS + 1) == {}


def test_sidecar_that_left_calls_no_longer() -> None:
    callers = Callers()
    callers.take("web-0", [CART], 1)
    callers.leave("web-0", [CART], 1)
    assert callers.count(CART, 1) == 0


def test_sidecar_that_reports_on_another_stream_already_calls_still() -> None:
    callers = Callers()
    callers.take("web-0", [CART], 1)
    callers.take("web-0", [CART], 2)
    callers.leave("web-0", [CART], 1)
    assert callers.count(CART, 2) == 1


def test_old_calls_are_forgotten() -> None:
    callers = Callers()
    callers.take("web-0", [CART], 0)
    callers.forget(WINDOW_NS + 1)
    assert callers._calls == {}
