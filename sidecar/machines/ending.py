"""How attempts end."""

from dataclasses import dataclass
from typing import Literal

from sidecar._core import outcome

__all__ = ["Ending", "Outcome", "Response", "outcome"]

Outcome = Literal["success", "failure", "uncounted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An attempt that ended with an answer; `code` is the gRPC status of a gRPC answer."""

    status: int
    code: int | None = None


Ending = (
    Response
    | Literal[
        "connect_failure",
        "connect_timeout",
        "refused_stream",
        "go_away",
        "reset",
        "per_try_timeout",
        "request_timeout",
        "caller_deadline",
        "truncated",
        "peer_refusal",
        "peer_refusal_elsewhere",
        "local_refusal",
        "client_left",
    ]
)
"""How an attempt ended; a peer's refusal `elsewhere` may well succeed on another endpoint."""
