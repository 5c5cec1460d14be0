"""Calls to the API server: authenticated, each with an end, and every failure of one type."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from controlplane.errors import KubernetesError
from controlplane.kubernetes.objects import decode_problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controlplane.config import Cluster
    from controlplane.kubernetes.call import Call

_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 60.0
_OWN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_REFUSED: Final = 300
_SHOWN_BYTES: Final = 4096


class Api:
    """The API server; `namespace` is the one that we live in, `revision` what tells us from others there."""

    def __init__(self, client: ApiClient, namespace: str, revision: str) -> None:
        self._client = client
        self.namespace = namespace
        self.revision = revision

    def named(self, name: str) -> str:
        """What an object is called of which each revision has one of its own."""
        return f"{name}-{self.revision}" if self.revision else name

    async def call(self, call: Call) -> bytes:
        """The body of the answer.

        Raises:
            KubernetesError: it is not one of success, or there is none.
        """
        ends = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS)
        async with self._answer(call, ends) as answer:
            return await answer.read()

    @asynccontextmanager
    async def upgrade(self, call: Call, protocol: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """The WebSocket that a request becomes.

        Raises:
            KubernetesError: it was refused, or there is no answer.
        """
        _, url, headers, *_ = await self._serialized(call)
        rest: Any = self._client.rest_client
        try:
            async with (
                aiohttp.ClientSession(trust_env=True) as session,
                session.ws_connect(
                    url,
                    protocols=(protocol,),
                    headers=headers,
                    ssl=rest.ssl_context,
                    proxy=rest.proxy,
                    server_hostname=rest.configuration.tls_server_name or None,
                    max_msg_size=0,
                ) as socket,
            ):
                yield socket
        except aiohttp.WSServerHandshakeError as error:
            raise KubernetesError(f"{error.status} {error.message}", status=error.status) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubernetesError(str(error) or type(error).__name__) from error

    async def watch(self, call: Call, *, silence_seconds: float) -> AsyncIterator[bytes]:
        """The lines of the answer, until the server ends it.

        Raises:
            KubernetesError: it broke, or nothing was heard for `silence_seconds`.
        """
        ends = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence_seconds)
        async with self._answer(call, ends) as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line

    @asynccontextmanager
    async def _answer(self, call: Call, ends: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with (await self._request(call, ends)).response as answer:
                if answer.status >= _REFUSED:
                    raise _refusal(answer, await answer.content.read(_SHOWN_BYTES))
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubernetesError(str(error) or type(error).__name__) from error

    async def _request(self, call: Call, ends: aiohttp.ClientTimeout) -> Any:
        """The answer, whatever it is, in the library's hands."""
        method, url, headers, body, _ = await self._serialized(call)
        rest: Any = self._client.rest_client
        return await rest.request(method, url, headers=headers, body=body, _request_timeout=ends)

    async def _serialized(self, call: Call) -> Any:
        """Method, address, headers and body of a request, authenticated."""
        return await self._client.param_serialize(
            call.method,
            call.path,
            query_params=list(call.query.items()),
            header_params={"Accept": call.accept, "Content-Type": call.form},
            body=call.body,
            auth_settings=["BearerToken"],
        )


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> KubernetesError:
    problem = decode_problem(body)
    wait = response.headers.get("Retry-After", "")
    return KubernetesError(
        problem.message or f"{response.status} {response.reason}",
        status=response.status,
        reason=problem.reason,
        retry_after_seconds=float(wait) if wait.isascii() and wait.isdecimal() else 0.0,
    )


@asynccontextmanager
async def reaching(cluster: Cluster) -> AsyncIterator[Api]:
    """The API server that the settings lead to: that of a kubeconfig, or the one around our own pod.

    Raises:
        KubernetesError: nothing says where it is.
    """
    configuration, library = Configuration(), cast("Any", config)
    try:
        if cluster.kubeconfig:
            namespace = await _from_kubeconfig(cluster, configuration)
        else:
            library.load_incluster_config(configuration)
            namespace = _OWN_NAMESPACE.read_text(encoding="utf-8").strip()
    except (config.ConfigException, OSError) as error:
        raise KubernetesError(f"{error}; in no pod, KUBECONFIG says where it is") from error
    async with ApiClient(configuration) as client:
        yield Api(client, namespace, cluster.revision)


async def _from_kubeconfig(cluster: Cluster, configuration: Configuration) -> str:
    """Takes the access that a kubeconfig gives; the namespace of its context."""
    library = cast("Any", config)
    loader = await library.load_kube_config(
        cluster.kubeconfig,
        context=cluster.context or None,
        client_configuration=configuration,
        persist_config=False,
    )
    return str(loader.current_context["context"].get("namespace") or "default")
