"""What each error of this package is called over gRPC."""

from collections.abc import Iterable
from typing import Final

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from registry.errors import (
    InvalidRegistrationError,
    LeaseNotFoundError,
    RegistryError,
    RevisionMismatchError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)

DOMAIN = "breakwater.dev"

_CODES: Final[dict[type[RegistryError], tuple[grpc.StatusCode, str]]] = {
    InvalidRegistrationError: (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REGISTRATION"),
    LeaseNotFoundError: (grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND"),
    RevisionMismatchError: (grpc.StatusCode.ABORTED, "CHANGED_MEANWHILE"),
    StoreFullError: (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL"),
    StoreRefusedError: (grpc.StatusCode.FAILED_PRECONDITION, "STORE_REFUSED"),
    StoreUnavailableError: (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
}
_OTHER: Final = (grpc.StatusCode.INTERNAL, "INTERNAL")


def encode_status(error: RegistryError) -> grpc.Status:
    """The status of an error: its reason, and each problem with its field."""
    problems = error.problems if isinstance(error, InvalidRegistrationError) else ()
    faults = [(problem.path, problem.message) for problem in problems]
    return encode(*_CODES.get(type(error), _OTHER), str(error), faults)


def encode(
    code: grpc.StatusCode, reason: str, message: str, faults: Iterable[tuple[str, str]] = ()
) -> grpc.Status:
    """A status with the details that programs read: the reason, and what is wrong with which field."""
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=field, description=text) for field, text in faults
    ]
    if violations:
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    encoded: grpc.Status = rpc_status.to_status(status)
    return encoded
