"""Second attempts beside slow ones."""

from sidecar._core import hedge_delay_ns, is_hedgeable, pay_hedge

__all__ = ["hedge_delay_ns", "is_hedgeable", "pay_hedge"]
