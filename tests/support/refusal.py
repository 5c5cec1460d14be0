"""What a refusal of a sidecar says about itself."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.framing import Message

DETAILS = re.compile(r'^breakwater; error=(?P<error>[a-z_]+); details="(?P<reason>[a-z_.]+)(?P<more>[^"]*)"$')


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The same story in header and body; `policy` is `namespace/name`, or `None` when none is at fault."""

    status: int
    error: str
    reason: str
    policy: str | None
    retry_after: int | None
    problem: dict[str, Any]


def refusal(response: Message) -> Refusal:
    """Return what a response says, which has to be a refusal of a sidecar with a problem for a body.

    Raises:
        ValueError: It is none.
    """
    stated = DETAILS.match(response.text("proxy-status") or "")
    if stated is None or response.text("content-type") != "application/problem+json":
        raise ValueError(f"expected a refusal, found {response}")
    policy = re.search(r"policy=(\S+)", stated["more"])
    retry_after = response.text("retry-after")
    return Refusal(
        status=response.status,
        error=stated["error"],
        reason=stated["reason"],
        policy=policy[1] if policy else None,
        retry_after=None if retry_after is None else int(retry_after),
        problem=json.loads(response.body),
    )


def reason(response: Message) -> str | None:
    """Return the reason a response gives, or `None` when an application answered."""
    stated = DETAILS.match(response.text("proxy-status") or "")
    return stated["reason"] if stated else None
