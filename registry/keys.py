"""Where things lie in the store."""

from registry.errors import DecodeError
from registry.model import InstanceId, ServiceName

PREFIX = "/breakwater/registry/services/"
"""Every registration's key begins so; NAMESPACE/NAME/INSTANCE follows."""

LEADER = "/breakwater/leader"
"""The key that the leading control plane holds, under a lease."""

REPLICAS = "/breakwater/replicas/"
"""The key of every control plane's record of itself begins so; the id of its run follows."""


def registration_key(service: ServiceName, instance: InstanceId) -> str:
    """The key of one instance of a service."""
    return f"{PREFIX}{service.namespace}/{service.name}/{instance}"


def parse_registration_key(key: str) -> tuple[ServiceName, InstanceId]:
    """The service and the instance that a key of `registration_key` stands for.

    Raises:
        DecodeError: it is another one, which somebody else has written.
    """
    match key.removeprefix(PREFIX).split("/"):
        case [namespace, name, instance]:
            return ServiceName(namespace=namespace, name=name), InstanceId(instance)
    raise DecodeError(f"expected {PREFIX}NAMESPACE/NAME/INSTANCE, found {key!r}")
