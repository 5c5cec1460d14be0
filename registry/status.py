"""What each error of this package is called over gRPC."""

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
    code, reason = _CODES.get(type(error), _OTHER)
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=str(error))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    if isinstance(error, InvalidRegistrationError):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=problem.path, description=problem.message)
            for problem in error.problems
        ]
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    encoded: grpc.Status = rpc_status.to_status(status)
    return encoded
