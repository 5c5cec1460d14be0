"""What each error is called over gRPC: one table, and the details that programs read."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc.aio

from controlplane.errors import (
    ControlPlaneError,
    FailedError,
    HistoryError,
    InvalidRequestError,
    NotAttachedError,
    NotFoundError,
    PartlyKeptError,
    ReadOnlyError,
    TooManyCommandsError,
    UnansweredError,
)
from registry.errors import RegistryError
from registry.status import encode
from registry.status import encode_status as encode_registry_status

_CODES: dict[type[ControlPlaneError], tuple[grpc.StatusCode, str]] = {
    NotFoundError: (grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
    InvalidRequestError: (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    HistoryError: (grpc.StatusCode.FAILED_PRECONDITION, "HISTORY_UNREADABLE"),
    PartlyKeptError: (grpc.StatusCode.ABORTED, "PARTLY_KEPT"),
    ReadOnlyError: (grpc.StatusCode.FAILED_PRECONDITION, "READ_ONLY"),
    NotAttachedError: (grpc.StatusCode.UNAVAILABLE, "SIDECAR_NOT_ATTACHED"),
    UnansweredError: (grpc.StatusCode.DEADLINE_EXCEEDED, "SIDECAR_UNANSWERED"),
    TooManyCommandsError: (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_COMMANDS"),
    FailedError: (grpc.StatusCode.INTERNAL, "SIDECAR_FAILED"),
}
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_OTHER = (grpc.StatusCode.INTERNAL, "INTERNAL")


def encode_status(error: ControlPlaneError) -> grpc.Status:
    """The status of an error: its words, its reason, and each field at fault."""
    faults = error.violations if isinstance(error, InvalidRequestError) else {}
    return encode(*_CODES.get(type(error), _OTHER), str(error), faults.items())


class ErrorStatuses(grpc.aio.ServerInterceptor):
    """Ends a call with the status of what it raises."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The handler of a call, wrapped when it answers once."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        answer: Any = handler.unary_unary

        async def wrapped(request: object, context: Any) -> object:
            try:
                return await answer(request, context)
            except ControlPlaneError as error:
                return await context.abort_with_status(encode_status(error))
            except RegistryError as error:
                return await context.abort_with_status(encode_registry_status(error))

        return grpc.unary_unary_rpc_method_handler(
            wrapped, handler.request_deserializer, handler.response_serializer
        )
