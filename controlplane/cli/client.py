"""The admin API as plain data: requests and answers are JSON-shaped mappings.

The verbs never see a protobuf message, so a table and `-o json` show the same thing.
"""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf import json_format, message_factory

from controlplane.cli.access import reach
from controlplane.cli.errors import RefusedError, UnreachableError
from mesh.v1 import admin_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from google.protobuf.message import Message

SLOW_SECONDS = 120.0
"""How long what may be about ten thousand policies is waited for."""

_SERVICE = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
_UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class AdminClient:
    """One connection to an admin port."""

    def __init__(self, address: str, timeout_seconds: float = 10.0) -> None:
        """Open the way to `address` (host:port), or without one to the control plane that is meant.

        Each call waits at most `timeout_seconds`.
        """
        self._timeout_seconds = timeout_seconds
        self._access = reach(address)
        self._channel = self._access.channel

    def __enter__(self) -> Self:
        return self

    @property
    def place(self) -> str:
        """What the control plane that is asked is called: an address, or a pod."""
        return self._access.place

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._access.close()

    def call(self, method: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one RPC, with lowerCamelCase names and every scalar present.

        Raises:
            UnreachableError: nothing answers at the address.
            RefusedError: the control plane refused, with its own words.
        """
        path, message, decode = _prepared(method, request)
        call: grpc.UnaryUnaryMultiCallable[Any, Any] = self._channel.unary_unary(
            path, request_serializer=_encode, response_deserializer=decode
        )
        try:
            answer = call(message, timeout=self._timeout_seconds, metadata=self._access.metadata())
        except grpc.RpcError as error:
            raise self._explained(error) from error
        found = _plain(answer)
        for name in found.get("unanswered", ()):
            print(
                f"warning: control plane {name} does not answer, so its part is missing; "
                "see `breakwater check`",
                file=sys.stderr,
            )
        return found

    def stream(self, method: str, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the answers of one RPC until it ends, as `call` returns them.

        Raises:
            UnreachableError: nothing answers at the address, or no longer.
            RefusedError: the control plane refused, with its own words.
        """
        path, message, decode = _prepared(method, request)
        call: grpc.UnaryStreamMultiCallable[Any, Any] = self._channel.unary_stream(
            path, request_serializer=_encode, response_deserializer=decode
        )
        try:
            yield from map(_plain, call(message, metadata=self._access.metadata()))
        except grpc.RpcError as error:
            raise self._explained(error) from error

    def _explained(self, error: grpc.RpcError) -> UnreachableError | RefusedError:
        code, details = error.code(), error.details()
        if code in _UNREACHABLE:
            return self._access.unanswered(f"{code.name}: {details}")
        return RefusedError(code.name, details or "")


def author() -> str:
    """Return who runs this command, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return ""


def _prepared(
    method: str, request: Mapping[str, Any] | None
) -> tuple[str, Message, Callable[[bytes], Message]]:
    """Return the path of an RPC, its request, and what decodes its answers."""
    descriptor = _SERVICE.methods_by_name[method]
    message = json_format.ParseDict(dict(request or {}), _message_class(descriptor.input_type)())
    return f"/{_SERVICE.full_name}/{method}", message, _message_class(descriptor.output_type).FromString


def _encode(message: Message) -> bytes:
    return message.SerializeToString()


def _plain(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def _message_class(descriptor: Any) -> type[Message]:
    return message_factory.GetMessageClass(descriptor)
