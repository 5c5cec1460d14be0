"""Header fields that only sidecars may say: how a message is sent, and what sidecars tell each other."""

from __future__ import annotations

import re
from typing import Final

_RESERVED: Final = re.compile(
    r"connection|content-length|expect|host|http2-settings|keep-alive|te|trailer|transfer-encoding|upgrade"
    r"|(proxy|grpc|breakwater)-.*"
)


def is_reserved(name: str) -> bool:
    """Whether a field of that name, in any case, is not for policies to say."""
    return _RESERVED.fullmatch(name.lower()) is not None
