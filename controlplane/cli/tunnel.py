"""A way through a cluster's API server to the admin port of its control plane, while a command runs.

The command connects to a socket that only its user can open; a thread carries the bytes on from there.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from controlplane.cli.cluster import Found, find_controlplane
from controlplane.cli.errors import ClusterError
from controlplane.errors import KubernetesError
from controlplane.kubernetes.api import Api, reaching
from controlplane.kubernetes.forward import carry

if TYPE_CHECKING:
    from controlplane.config import Cluster

_END_SECONDS = 5.0


class Tunnel:
    """Open from the start until `close`; `failure` says why it carried nothing the last time."""

    def __init__(self, cluster: Cluster, *, needs_token: bool) -> None:
        """Find the control plane of a cluster, with the token to show if it is needed, and open the way.

        Raises:
            ClusterError: there is no way.
        """
        self.failure = ""
        self._cluster = cluster
        self._needs_token = needs_token
        self._folder = tempfile.TemporaryDirectory(prefix="breakwater-")
        self._opened: Future[tuple[Found, asyncio.AbstractEventLoop]] = Future()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="tunnel", daemon=True)
        self._thread.start()
        try:
            self.found, self._loop = self._opened.result()
        except BaseException:
            self._folder.cleanup()
            raise

    @property
    def socket(self) -> Path:
        """Where to connect."""
        return Path(self._folder.name) / "admin"

    def close(self) -> None:
        """End what is carried, and the thread."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(_END_SECONDS)
        self._folder.cleanup()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except KubernetesError as error:
            self._opened.set_exception(
                ClusterError(
                    f"the API server does not lead to a control plane: {error}\n"
                    "see `kubectl config get-contexts` and `kubectl auth can-i --list -n breakwater-system`"
                )
            )
        except ClusterError as error:
            self._opened.set_exception(error)

    async def _serve(self) -> None:
        async with reaching(self._cluster) as api:
            found = await find_controlplane(api, needs_token=self._needs_token)
            handle = partial(self._carry, api, found)
            async with await asyncio.start_unix_server(handle, self.socket):
                self._opened.set_result((found, asyncio.get_running_loop()))
                await self._closing.wait()

    async def _carry(
        self, api: Api, found: Found, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await carry(api, found.place, reader, writer)
        except* KubernetesError as group:
            self.failure = str(group.exceptions[0])
        finally:
            writer.close()
