"""The running proxy, as the Python program sees it: started once, and never entered by traffic.

`run` hands the calling thread to the core until the sidecar has drained. `status` and `drain` are for other
threads of the same process, such as a supervisor that embeds the sidecar.
"""

from __future__ import annotations

from sidecar import _core
from sidecar.errors import CoreError

TYPE_CHECKING = False  # as `typing` has it, without the memory that importing it costs
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal, TypeAlias

    OutboundUntil: TypeAlias = Literal["now", "signal", "unused"]

Settings = _core.Settings
Status = _core.Status
VERSION: str = _core.VERSION


def parse_settings(values: Mapping[str, Sequence[str]]) -> Settings | list[tuple[str, str]]:
    """Return settings from values by flag without dashes, or every problem as flag and text."""
    return _core.parse_settings({flag: list(each) for flag, each in values.items()})


def run(settings: Settings) -> None:
    """Serve until a signal or `drain` has ended everything; the interpreter's lock is released meanwhile.

    Raises:
        CoreError: something could not start (a port in use), or the worker ended by itself.
    """
    try:
        _core.run(settings)
    except RuntimeError as error:
        raise CoreError(str(error)) from error


def drain(deadline_seconds: float) -> None:
    """Begin to drain the running sidecar: `run` returns when nothing is left, or after `deadline_seconds`."""
    _core.drain(deadline_seconds)


def order_drain(
    socket: str, *, delay_seconds: float, deadline_seconds: float | None, outbound_until: OutboundUntil
) -> int:
    """Have the sidecar whose admin socket this is drain, and return how many requests are in flight there.

    Connections from others are refused after `delay_seconds`; what is in flight has `deadline_seconds` from
    then, None for as long as the sidecar was started with. The workload's own calls pass until then, a signal
    to the process, or when no connection is left.

    Raises:
        CoreError: nobody takes the order.
    """
    try:
        return _core.order_drain(socket, delay_seconds, deadline_seconds, outbound_until)
    except RuntimeError as error:
        raise CoreError(str(error)) from error


def status() -> Status | None:
    """Return how the running sidecar is, or None when there is none."""
    return _core.status()
