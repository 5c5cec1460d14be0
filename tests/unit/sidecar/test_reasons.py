"""Every reason that a sidecar can give is provoked through a socket by some test, or it says here why not."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from sidecar.machines.reason import REASONS, Reason

ROOT: Final = Path(__file__).parents[3]
# Tests that judge a sidecar, or its proxy, by what comes through sockets.
LIVE: Final = (("tests/integration", "*.py"), ("sidecar/core/proxy/tests", "*.rs"))

# Code that gives reasons.
CORE: Final = tuple((f"sidecar/core/{crate}/src", "*.rs") for crate in ("policy", "proxy", "agent"))

UNPROVOKED: Final[Mapping[str, str]] = {
    "proxy.limit": "said by a process out of descriptors; test_descriptors.py proves that some are left",
    "ratelimit.connections": "connections are closed when accepted, before there is a request to answer",
}
# Words of the closed list that no sidecar of this release has.
LATER: Final = (
    "authn.invalid",
    "authn.missing",
    "authz.denied",
    "ratelimit.quota",
    "ratelimit.store_lost",
)


def read(*folders: tuple[str, str]) -> str:
    """Return all that the files hold; the Rust tests beside the code they test are none of it."""
    found = [
        path
        for folder, names in folders
        for path in sorted((ROOT / folder).rglob(names))
        if not {"tests", "tests.rs"} & set(path.relative_to(ROOT / folder).parts)
    ]
    return "".join(path.read_text(encoding="utf-8") for path in found)


@pytest.fixture(scope="module")
def live() -> str:
    return read(*LIVE)


@pytest.fixture(scope="module")
def core() -> str:
    return read(*CORE)


def is_provoked(reason: Reason, live: str, core: str) -> bool:
    """Whether the core gives the reason, and a test names it: by its word, or by its variant in Rust."""
    variant = rf"\bReason::{''.join(part.title() for part in re.split('[._]', reason.word))}\b"
    named = rf'"{re.escape(reason.word)}\b(?![._])|{variant}'
    return bool(re.search(variant, core) and re.search(named, live))


@pytest.mark.parametrize("reason", REASONS, ids=[reason.word for reason in REASONS])
def test_a_reason_is_provoked_or_it_is_said_why_not(reason: Reason, live: str, core: str) -> None:
    assert is_provoked(reason, live, core) is (reason.word not in UNPROVOKED)


def test_only_reasons_are_excused() -> None:
    assert UNPROVOKED.keys() <= {reason.word for reason in REASONS}


@pytest.mark.parametrize("word", LATER)
def test_what_no_sidecar_does_yet_is_no_reason(word: str) -> None:
    assert word not in {reason.word for reason in REASONS}
