"""The vocabulary of `retry.when` and `failureOn`."""

from __future__ import annotations

import re
from typing import Final

NAMED: Final = ("ConnectFailure", "PerTryTimeout", "RefusedStream", "Reset")
GRPC_CODES: Final = (
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)
WORDS: Final = NAMED + GRPC_CODES
_STATUS: Final = re.compile(r"[1-5][0-9]{2}|[1-5]xx", re.ASCII)


def is_condition(text: str) -> bool:
    """Whether `text` is a condition, an HTTP status or class, or a gRPC code."""
    return text in WORDS or _STATUS.fullmatch(text) is not None
