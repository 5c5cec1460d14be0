"""What events of the cluster are called."""

from controlplane.kubernetes.events import Happening
from controlplane.model.document import ObjectKey


def happening(name: str, note: str = "") -> Happening:
    key = ObjectKey(kind="ResiliencePolicy", namespace="shop", name=name)
    return Happening(name=key, uid="1", reason="Invalid", note=note)


def test_the_same_happening_is_one_event() -> None:
    assert happening("cart").event_name == happening("cart").event_name
    assert happening("cart").event_name != happening("cart", "another").event_name
    assert happening("cart").event_name.startswith("cart.")


def test_an_object_with_a_long_name_has_events_too() -> None:
    found = happening(f"{'a' * 229}.{'b' * 23}").event_name
    assert len(found) <= 253
    assert found.startswith(f"{'a' * 229}.")
    assert ".." not in found
