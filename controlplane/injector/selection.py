"""Which webhook is asked about a pod, as the API server decides by labels, and why none is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from controlplane.injector.names import INJECT_LABEL
from controlplane.injector.pod import block, entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Webhook(NamedTuple):
    """One entry of a configuration, its name, and the namespace of the control plane that answers."""

    name: str
    root_namespace: str
    namespaces: Mapping[str, Any]
    pods: Mapping[str, Any]


def webhooks(configurations: Iterable[Mapping[str, Any]]) -> tuple[Webhook, ...]:
    """The entries of webhook configurations, in order."""
    return tuple(
        Webhook(
            name=f"{block(configuration, 'metadata').get('name')}/{entry.get('name')}",
            root_namespace=str(block(entry, "clientConfig", "service").get("namespace", "")),
            namespaces=block(entry, "namespaceSelector"),
            pods=block(entry, "objectSelector"),
        )
        for configuration in configurations
        for entry in entries(configuration, "webhooks")
    )


def find_webhook(
    known: Iterable[Webhook], namespace: Mapping[str, str], pod: Mapping[str, str]
) -> Webhook | None:
    """The first that is asked about a pod, given the labels of its namespace and its own."""
    return next((one for one in known if selects(one.namespaces, namespace) and selects(one.pods, pod)), None)


def unselected(known: tuple[Webhook, ...], namespace: str, pod: Mapping[str, str]) -> str:
    """Why no webhook is asked about a pod, and what to do about it."""
    if not known:
        return "the cluster has no injector; see `breakwater check`"
    if pod.get(INJECT_LABEL) == "false":
        return f"the pod is labelled {INJECT_LABEL}=false"
    return f"not asked for; `kubectl label namespace {namespace} {INJECT_LABEL}=enabled`"


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes in what has these labels; an empty one takes in everything."""
    wanted = block(selector, "matchLabels")
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        _holds(each, labels) for each in entries(selector, "matchExpressions")
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    found, values = labels.get(str(expression.get("key"))), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case _:
            return False
