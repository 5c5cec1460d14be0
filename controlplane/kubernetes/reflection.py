"""How a resource of the API server is followed: the decisions, apart from any waiting.

Theory of operation. List, page by page, then watch from the version of the list. Bookmarks and events move
the version on, so that a watch that ends can be resumed where it was.

    LIST   --page-->    LIST     there are more pages
    LIST   --last page--> WATCH  what was listed replaces what was known
    LIST   --failure--> LIST     from the first page, after a delay
    WATCH  --event-->   WATCH    one version further
    WATCH  --end-->     WATCH    resumed, at once if the watch lived for a while, else after a delay
    WATCH  --410, or the third failure in a row--> LIST

A list that brings no watch from which anything is heard makes the next one wait for longer.

A server that is overloaded says how long to stay away, and is obeyed. Every delay is drawn, so that replicas
which lost the server together do not come back together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

RESUMES: Final = 3
"""Failures in a row after which a watch is not resumed any more: a list tells more."""

STEADY_SECONDS: Final = 3.0
"""A watch that lived this long was a sound one: what ended it is no failure of the server's."""

FIRST_DELAY_SECONDS: Final = 0.2
LONGEST_DELAY_SECONDS: Final = 30.0
RESUME_SECONDS: Final = 0.1
GONE: Final = 410
MISSING: Final = 404


class Phase(Enum):
    """What is done next."""

    LIST = "list"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where following stands: `version` is where a watch goes on, `next_page` asks for the next page.

    `relists` counts the lists in a row that are owed to watches from which nothing was heard.
    """

    phase: Phase = Phase.LIST
    version: str = ""
    next_page: str = ""
    failures: int = 0
    relists: int = 0
    has_listed: bool = False

    @property
    def is_absent(self) -> bool:
        """Whether the resource was not served yet, though we have asked often enough to believe it."""
        return not self.has_listed and self.failures >= RESUMES


def paged(progress: Progress, *, version: str, next_page: str) -> Progress:
    """After a page of the list."""
    if next_page:
        return replace(progress, next_page=next_page)
    return Progress(phase=Phase.WATCH, version=version, relists=progress.relists, has_listed=True)


def heard(progress: Progress, version: str) -> Progress:
    """After an event or a bookmark."""
    return replace(progress, version=version, failures=0, relists=0)


def failed(progress: Progress, status: int, *, lasted_seconds: float = 0.0) -> Progress:
    """After a list or a watch ended early; `status` is the server's answer, 0 when there was none."""
    is_sound = lasted_seconds >= STEADY_SECONDS
    failures = 1 if is_sound else progress.failures + 1
    resumes = progress.phase is Phase.WATCH and status != GONE and failures < RESUMES
    if resumes:
        return replace(progress, failures=failures)
    relists = 0 if is_sound else progress.relists + (progress.phase is Phase.WATCH)
    return Progress(failures=max(failures, relists), relists=relists, has_listed=progress.has_listed)


def ended(progress: Progress, *, lasted_seconds: float) -> Progress:
    """After the server ended a watch, as it does every few minutes."""
    if lasted_seconds >= STEADY_SECONDS:
        return replace(progress, failures=0, relists=0)
    return failed(progress, 0)


def delay_seconds(progress: Progress, retry_after_seconds: float, draw: float) -> float:
    """How long to wait before going on; `draw` is from 0 to 1."""
    if not progress.failures:
        return RESUME_SECONDS * draw
    longest = min(FIRST_DELAY_SECONDS * 2.0 ** (progress.failures - 1), LONGEST_DELAY_SECONDS)
    return retry_after_seconds + longest * (1 + draw) / 2
