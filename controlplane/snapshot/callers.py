"""Classes of callers: within one, every caller is governed by the same policies.

Only callers that some policy mentions can differ from all others. They are listed from the most specific:
service and account of a namespace, service, account, namespace, any. A sidecar takes the first that
matches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.effective import CallerMatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controlplane.policy.target import Caller

ANY: Final = CallerMatch()
# How specific it is to be limited to callers in this way; a policy for everybody is 0.
_RANKS: Final = {"Namespace": 1, "ServiceAccount": 2, "Service": 3}


def classes(mentioned: Iterable[Caller]) -> tuple[CallerMatch, ...]:
    """The classes that these callers tell apart, most specific first; the last is any caller."""
    names: dict[str, dict[str, set[str]]] = {}
    for caller in mentioned:
        kinds = names.setdefault(
            caller.namespace, {"Service": set(), "ServiceAccount": set(), "Namespace": set()}
        )
        kinds[caller.kind].add(caller.name)
    found = {match for namespace, kinds in names.items() for match in _classes_of(namespace, kinds)}
    return (*sorted(found, key=_order), ANY)


def rank(callers: Sequence[Caller], match: CallerMatch) -> int | None:
    """How specifically a policy limited to `callers` speaks of the class `match`; `None` if it does not."""
    if not callers:
        return 0
    return max((_RANKS[caller.kind] for caller in callers if _includes(caller, match)), default=None)


def covers(general: CallerMatch, special: CallerMatch) -> bool:
    """Whether every caller of the class `special` matches `general` too."""
    pairs = (
        (general.namespace, special.namespace),
        (general.service, special.service),
        (general.service_account, special.service_account),
    )
    return all(not wanted or wanted == given for wanted, given in pairs)


def _classes_of(namespace: str, kinds: Mapping[str, set[str]]) -> Iterable[CallerMatch]:
    for service in ("", *kinds["Service"]):
        for account in ("", *kinds["ServiceAccount"]):
            if service or account or kinds["Namespace"]:
                yield CallerMatch(namespace=namespace, service=service, service_account=account)


def _order(match: CallerMatch) -> tuple[int, str, str, str]:
    specificity = 2 * bool(match.service) + bool(match.service_account)
    return -specificity, match.namespace, match.service, match.service_account


def _includes(caller: Caller, match: CallerMatch) -> bool:
    if caller.namespace != match.namespace:
        return False
    match caller.kind:
        case "Service":
            return caller.name == match.service
        case "ServiceAccount":
            return caller.name == match.service_account
        case _:
            return True
