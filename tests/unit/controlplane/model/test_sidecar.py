"""What is known of a sidecar."""

from tests.support.sidecars import sidecar


def test_sidecar_is_in_the_namespaces_of_its_services() -> None:
    assert sidecar("cart-0").is_in("shop")
    assert sidecar("cart-0").is_in("")
    assert not sidecar("cart-0").is_in("pay")
