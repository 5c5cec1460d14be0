"""Live callers."""

from controlplane.telemetry.callers import WINDOW_NS, Callers
from registry.model import ServiceName

CART = ServiceName(namespace="shop", name="cart")


def test_whoever_asks_is_a_caller_itself() -> None:
    assert Callers().count(CART, 0) == 1


def test_sidecars_that_called_within_the_window_are_counted() -> None:
    callers = Callers()
    callers.take("web-0", [CART], 0)
    callers.take("web-1", [CART], WINDOW_NS)
    assert callers.count(CART, WINDOW_NS) == 2
    assert callers.count(CART, WINDOW_NS + 1) == 1


def test_old_calls_are_forgotten() -> None:
    callers = Callers()
    callers.take("web-0", [CART], 0)
    callers.forget(WINDOW_NS + 1)
    assert callers._calls == {}
