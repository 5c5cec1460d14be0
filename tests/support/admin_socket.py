"""The way to a sidecar's own administration."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

# By itself this client would name the socket's path, which is no authority (RFC 3986 3.2), and be refused.
OPTIONS = (("grpc.default_authority", "localhost"),)


@asynccontextmanager
async def admin_socket(state: Path) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to the sidecar with this state directory."""
    async with grpc.aio.insecure_channel(f"unix:{state / 'admin.sock'}", options=OPTIONS) as channel:
        yield channel
