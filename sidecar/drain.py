"""`breakwater-sidecar drain`: has a sidecar drain, as what happens before its container is stopped.

The order is all that it brings: the sidecar waits by itself. Whoever stops the container tells its program to
end afterwards, which hastens nothing: a native sidecar is told once the application has ended, and takes that
for the end of what the application calls.
"""

from __future__ import annotations

import os
import sys

from sidecar import config, flags, proxy
from sidecar.errors import CoreError

TYPE_CHECKING = False  # as `typing` has it, without the memory that importing it costs
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNTIL: dict[str, proxy.OutboundUntil] = {"now": "now", "signal": "signal", "unused": "unused"}
FLAGS = (
    flags.BY_NAME["admin"],
    flags.Flag("after", "SECONDS", "time for callers to hear of it, before they are refused", default="0"),
    flags.Flag(
        "deadline", "SECONDS", "time for what is in flight", computed="--drain-timeout of the sidecar"
    ),
    flags.Flag(
        "outbound-until",
        " | ".join(UNTIL),
        "when the application's own calls end: with those from others, with a signal to the sidecar, or when "
        "no connection is left",
        default="now",
    ),
)
_MOST_SECONDS = 3600.0


def drain(argv: Sequence[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Order the drain, and say how much is in flight; or return what is wrong."""
    given, problems = flags.parse(argv, {flag.name: flag for flag in FLAGS})
    admin = given.get("admin") or config.gather([], environment).values["admin"]
    after = _seconds("after", given, problems)
    deadline = _seconds("deadline", given, problems) if "deadline" in given else None
    until = UNTIL.get(_text("outbound-until", given))
    if until is None:
        problems.append(f"--outbound-until: expected {' | '.join(UNTIL)}, found {given['outbound-until'][0]}")
    if not admin[0].startswith("unix:"):
        problems.append(f"--admin: expected unix:PATH, found {admin[0]}")
    if problems or until is None:
        return problems
    try:
        in_flight = proxy.order_drain(
            admin[0].removeprefix("unix:"),
            delay_seconds=after,
            deadline_seconds=deadline,
            outbound_until=until,
        )
    except CoreError as error:
        return [f"no sidecar drains at {admin[0]}: {error}"]
    sys.stdout.write(f"draining, {in_flight} in flight\n")
    return []


def _seconds(name: str, given: Mapping[str, Sequence[str]], problems: list[str]) -> float:
    text = _text(name, given)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MOST_SECONDS:
        problems.append(f"--{name}: expected seconds up to {_MOST_SECONDS:.0f}, found {text}")
    return seconds


def _text(name: str, given: Mapping[str, Sequence[str]]) -> str:
    default = next(flag.default for flag in FLAGS if flag.name == name)
    return given.get(name, [default])[0]
