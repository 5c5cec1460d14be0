"""Who makes the call that is being answered, where somebody vouches for that; and what they may claim.

Without an identity nobody vouches for anybody, as on one machine: every claim is taken.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.errors import ImpersonationError
from controlplane.model.resource import ResourceName, ResourceType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import TypeAlias

    from controlplane.model.identity import Identity

    Identify: TypeAlias = Callable[[str], Awaitable[Identity | None]]
    """Says by its token who calls, or `None` where nobody vouches for anybody; raises what refuses it."""

CALLER: Final[ContextVar[Identity | None]] = ContextVar("caller", default=None)

log = structlog.get_logger()


def check_instance(instance: str) -> None:
    """Refuses a name that is not the caller's own.

    Raises:
        ImpersonationError: it is another's.
    """
    caller = CALLER.get()
    if caller is not None and instance != caller.instance:
        raise _refusal(caller, f"instance {instance!r}", caller.instance)


def check_account(account: str) -> None:
    """Refuses a service account that is not the caller's own; none is claimed by an empty one.

    Raises:
        ImpersonationError: it is another's.
    """
    caller = CALLER.get()
    if caller is not None and account not in {"", caller.service_account}:
        raise _refusal(caller, f"service account {account!r}", caller.service_account)


def check_namespaces(namespaces: Iterable[str]) -> None:
    """Refuses services that cannot be the caller's own, since they lie elsewhere.

    Raises:
        ImpersonationError: one lies in another namespace.
    """
    caller = CALLER.get()
    for namespace in namespaces:
        if caller is not None and namespace != caller.namespace:
            raise _refusal(caller, f"a service of namespace {namespace!r}", caller.namespace)


def check_wanted(resources: Iterable[ResourceName]) -> None:
    """Refuses what only members of a service may see, if the caller cannot be one, and other workloads.

    Raises:
        ImpersonationError: it is another namespace's, or another pod's.
    """
    caller = CALLER.get()
    if caller is None:
        return
    own = f"{caller.namespace}/{caller.pod}"
    for resource in resources:
        if resource.type is ResourceType.INBOUND:
            check_namespaces([resource.name.partition("/")[0]])
        elif resource.type is ResourceType.WORKLOAD and resource.name != own:
            raise _refusal(caller, f"workload {resource.name!r}", own)


def _refusal(caller: Identity, claim: str, own: str) -> ImpersonationError:
    log.warning("claim refused", identity=str(caller), claim=claim, audit=True)
    return ImpersonationError(f"expected {own!r}, as the token says, found {claim}")
