"""Port-forwards as a kubelet answers them: there is none beside an API server that runs alone.

A pair of channels for each port, data and error, each of which begins with the number of the port.
"""

import asyncio
import struct
from collections.abc import Mapping

from aiohttp import WSMsgType, web

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = b"\x00", b"\x01"


async def forwarded(request: web.BaseRequest, ports: Mapping[int, int]) -> web.StreamResponse:
    """Connect the port that is asked for with one of this machine, until either side ends."""
    socket = web.WebSocketResponse(protocols=(PROTOCOL,))
    await socket.prepare(request)
    assert socket.ws_protocol == PROTOCOL
    [asked] = map(int, request.query["ports"].split(","))
    for channel in (DATA, ERROR):
        await socket.send_bytes(channel + struct.pack("<H", asked))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[asked])
    except (KeyError, OSError) as error:
        await socket.send_bytes(ERROR + f"error forwarding port {asked}: {error!r}".encode())
        return socket
    answering = asyncio.create_task(_answer(reader, socket))
    try:
        async for message in socket:
            assert message.type is WSMsgType.BINARY
            assert message.data[:1] == DATA
            writer.write(message.data[1:])
            await writer.drain()
    finally:
        answering.cancel()
        writer.close()
    return socket


async def _answer(reader: asyncio.StreamReader, socket: web.WebSocketResponse) -> None:
    while chunk := await reader.read(65536):
        await socket.send_bytes(DATA + chunk)
    await socket.close()
