"""Bytes to and from a port of a pod, through the API server: the WebSocket form of its port-forward.

Each message begins with the number of its channel: what the port says is on the first, what is wrong with it
on the second. The first message of either repeats the number of the port, in two bytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp

from controlplane.errors import KubernetesError
from controlplane.kubernetes.call import Call

if TYPE_CHECKING:
    from controlplane.kubernetes.api import Api

PROTOCOL: Final = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PORT_BYTES: Final = 2
_CHUNK_BYTES: Final = 32 << 10


class PodPort(NamedTuple):
    """A port of a pod."""

    namespace: str
    pod: str
    port: int


async def carry(api: Api, place: PodPort, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carries bytes both ways between a stream and a port of a pod, until either ends.

    Raises:
        KubernetesError: the API server refuses it, or nothing in the pod listens.
    """
    call = Call(
        path=f"/api/v1/namespaces/{place.namespace}/pods/{place.pod}/portforward",
        query={"ports": str(place.port)},
    )
    async with api.upgrade(call, PROTOCOL) as socket, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(_send(reader, socket))
        try:
            await _receive(socket, writer)
        finally:
            sending.cancel()


async def _send(reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        await socket.send_bytes(bytes((_DATA,)) + chunk)
    await socket.close()


async def _receive(socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
    begun: set[int] = set()
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, content = message.data[0], message.data[1:]
        if channel not in begun:
            begun.add(channel)
            content = content[_PORT_BYTES:]
        if channel == _ERROR and content:
            raise KubernetesError(content.decode(errors="replace").strip())
        writer.write(content)
        await writer.drain()
