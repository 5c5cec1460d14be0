"""When a changed resource is released to its readers: at once when it was idle, in growing windows otherwise.

Theory of operation. The first change of an idle resource is released at once and opens a window. What changes
within a window is held until its end, and released at its newest version. Every release opens the next
window, twice as long as the one before up to `LONGEST_NS`. A resource that stays unchanged for `LONGEST_NS`
after its window is idle again. So a lone edit never waits, and one that flaps is released at most ten times a
second.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controlplane.model.resource import ResourceName

FIRST_NS = 20_000_000
LONGEST_NS = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The window of `length_ns` that ends at `end_ns`; `held` when something changed within it."""

    end_ns: int
    length_ns: int
    held: bool = False

    @property
    def due_ns(self) -> int:
        """When to look at it again: at its end, or when the resource is idle."""
        return self.end_ns if self.held else self.end_ns + LONGEST_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Debounce:
    """The newest window of every resource that is not idle."""

    windows: Mapping[ResourceName, Window] = field(default_factory=dict)

    @property
    def due_ns(self) -> int | None:
        """When `tick` has something to do next, or `None` when all is idle."""
        return min((window.due_ns for window in self.windows.values()), default=None)


def note(
    state: Debounce, changed: Iterable[ResourceName], now_ns: int
) -> tuple[Debounce, frozenset[ResourceName]]:
    """The state once `changed` changed at `now_ns`, and what of it is released at once."""
    windows = dict(state.windows)
    released = set()
    for resource in changed:
        window = windows.get(resource)
        if window and now_ns < window.end_ns:
            windows[resource] = replace(window, held=True)
        else:
            windows[resource] = _next(window, now_ns)
            released.add(resource)
    return Debounce(windows=windows), frozenset(released)


def tick(state: Debounce, now_ns: int) -> tuple[Debounce, frozenset[ResourceName]]:
    """The state at `now_ns`, and what is released by windows that have ended."""
    windows = dict(state.windows)
    released = set()
    for resource, window in state.windows.items():
        if window.due_ns > now_ns:
            continue
        if window.held:
            windows[resource] = _next(window, now_ns)
            released.add(resource)
        else:
            del windows[resource]
    return Debounce(windows=windows), frozenset(released)


def _next(window: Window | None, now_ns: int) -> Window:
    length_ns = min(2 * window.length_ns, LONGEST_NS) if window else FIRST_NS
    return Window(end_ns=now_ns + length_ns, length_ns=length_ns)
