"""Pictures of the pages, drawn by the code they show. `python -m tests.support.diagrams` draws them anew.

A picture stands between the lines `<!-- NAME: ... -->` and `<!-- end -->` of its page.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, get_args

from controlplane.policy.target import Level
from sidecar.machines.backpressure import Block, Buffer, QueueParams, Throttle
from sidecar.machines.breaker import BREAKER_TRANSITIONS
from sidecar.machines.fault import Rehearsal, standing_rehearsals
from sidecar.machines.rate_limit import (
    Algorithm,
    Ask,
    FixedWindow,
    LeakyBucket,
    Limited,
    LimitParams,
    Limits,
    Rate,
    SlidingLog,
    SlidingWindow,
    TokenBucket,
)
from sidecar.machines.retry import Backoff, Retry, RetryParams, Strategy
from sidecar.machines.route import SplitTurns
from tests.support.queue_modes import fates
from tests.support.reference import PAGE

_PLACE: Final = re.compile(r"(<!-- (\w+): [^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)
_SECOND: Final = 1_000_000_000
_STEP: Final = _SECOND // 4
_EPOCH: Final = 1_000_000 * _SECOND  # the beginning of a window of Unix time
_RATE: Final = Rate(requests=2, per_ns=_SECOND)
_ALGORITHMS: Final[tuple[Algorithm, ...]] = (
    TokenBucket(rate=_RATE, burst=4),
    LeakyBucket(rate=_RATE),
    LeakyBucket(rate=_RATE, queue=2),
    FixedWindow(rate=_RATE),
    SlidingLog(rate=_RATE),
    SlidingWindow(rate=_RATE),
)
_SPLITS: Final = ((9, 1), (3, 1), (2, 3, 1), (1, 0))
_MERGES: Final = ("PatchDefaults", "AtomicDefaults", "PatchOverrides", "AtomicOverrides")
_MOST: Final = 2**64 - 1  # the highest draw
_MODES: Final = (
    ("DropNewest", QueueParams(capacity=2)),
    ("DropOldest", QueueParams(capacity=2, mode="DropOldest")),
    ("Block, 300 ms", QueueParams(capacity=2, mode=Block(for_ns=3 * _SECOND // 10))),
    ("Buffer, up to 4", QueueParams(capacity=2, mode=Buffer(max_capacity=4))),
    ("Throttle from 50 %", QueueParams(capacity=2, mode=Throttle(throttle_from=50))),
)


def breaker() -> str:
    """The states of a breaker, and what makes it go from one to another."""
    ways = (f"    {start} --> {end}: {', '.join(causes)}\n" for start, end, causes in BREAKER_TRANSITIONS)
    return "```mermaid\nstateDiagram-v2\n    [*] --> closed\n" + "".join(ways) + "```\n"


def algorithms() -> str:
    """Who of those that come every quarter of a second is admitted, for each algorithm."""
    head = "seconds                 " + "".join(f"{second:<5}" for second in range(5)).rstrip()
    lines = (f"{_title(algorithm):<24}{_admitted(algorithm)}" for algorithm in _ALGORITHMS)
    return "\n".join(["```text", head, *lines, "```", ""])


def _title(algorithm: Algorithm) -> str:
    queue = algorithm.queue if isinstance(algorithm, LeakyBucket) else 0
    return type(algorithm).__name__ + (f", queue: {queue}" if queue else "")


def _admitted(algorithm: Algorithm) -> str:
    limits = Limits([LimitParams(algorithm=algorithm)])
    marks = [_mark(limits, step * _STEP) for step in range(17)]
    return " ".join("".join(marks[at : at + 4]) for at in range(0, len(marks), 4))


def _mark(limits: Limits, after_ns: int) -> str:
    found = limits.admit([Ask(limit=0)], _SECOND + after_ns, _EPOCH + after_ns)
    if isinstance(found, Limited):
        return "."
    return "w" if found.wait_ns else "#"


def backoff() -> str:
    """The shortest and the longest time before each retry, for each strategy."""
    return "\n".join(
        ["```text", f"{'before retry':<20}1           2           3           4", *_delays(), "```", ""]
    )


def _delays() -> Iterator[str]:
    for strategy in get_args(Strategy):
        retry = Retry(RetryParams(backoff=Backoff(strategy=strategy)))
        previous: int | None = None
        cells = []
        for number in range(4):
            low, high = (retry.delay_ns(number, draw, previous) // 1_000_000 for draw in (0, _MOST))
            previous = high * 1_000_000
            cells.append(f"{low} ms" if low == high else f"{low}-{high} ms")
        yield f"{strategy:<20}{''.join(f'{cell:<12}' for cell in cells)}".rstrip()


def modes() -> str:
    """What becomes of those that come every tenth of a second where one runs for a quarter, for each mode."""
    head = f"{'seconds':<20}0         1"
    lines = (f"{title:<20}{fates(queue)}" for title, queue in _MODES)
    return "\n".join(["```text", head, *lines, "```", ""])


def splits() -> str:
    """Which backend each of twenty requests goes to, for some weights."""
    head = f"{'weights':<20}requests, one after the other"
    lines = (f"{' : '.join(map(str, weights)):<20}{_turns(weights)}" for weights in _SPLITS)
    return "\n".join(["```text", head, *lines, "```", ""])


def _turns(weights: Sequence[int]) -> str:
    turns = SplitTurns()
    taken = (turns.next(weights) for _ in range(20))
    return "".join("." if each is None else "abc"[each] for each in taken)


def rehearsals() -> str:
    """What a broader policy and a more specific one that delays still do, by the broader one's merge."""
    head = f"{'merge of the broader':<22}{'it delays and aborts':<24}the other one delays"
    return "\n".join(["```text", head, *map(_left, _MERGES), "```", ""])


def _left(merge: str) -> str:
    broad = Rehearsal(merge=merge, specificity=0, age=0, effects=("delay", "abort"))
    specific = Rehearsal(specificity=1, age=1, effects=("delay",))
    done = (", ".join(effects) or "nothing" for effects in standing_rehearsals([broad, specific]))
    return f"{merge:<22}{next(done):<24}{next(done)}"


def levels() -> str:
    """What policies attach to, from the weakest to the strongest."""
    return f"```text\n{' < '.join(['Mesh (its defaults)', *_attached()])}\n```\n"


def _attached() -> Iterator[str]:
    return (level.text for level in sorted(Level) if level is not Level.DEFAULTS)


DIAGRAMS: Final[Mapping[str, Callable[[], str]]] = {
    "breaker": breaker,
    "algorithms": algorithms,
    "backoff": backoff,
    "modes": modes,
    "splits": splits,
    "rehearsals": rehearsals,
    "levels": levels,
}


def drawn(text: str) -> str:
    """A page with its pictures as they should be."""
    return _PLACE.sub(lambda place: f"{place[1]}{DIAGRAMS[place[2]]()}{place[4]}", text)


def pages() -> dict[Path, str]:
    """The text of every page that has a picture."""
    texts = {page: page.read_text(encoding="utf-8") for page in sorted(PAGE.parent.glob("*.md"))}
    return {page: text for page, text in texts.items() if _PLACE.search(text)}


if __name__ == "__main__":
    for path, found in pages().items():
        path.write_text(drawn(found), encoding="utf-8")
