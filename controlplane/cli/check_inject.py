"""`breakwater check-inject`: which pods have a sidecar, or would get one out of YAML, and why not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import typer

from controlplane.cli import access, options
from controlplane.cli.errors import ClusterError, FindingError
from controlplane.cli.inject import Profiles, Root, example, injection, read_profiles, rewritten
from controlplane.cli.output import Listing, show
from controlplane.errors import KubernetesError
from controlplane.injector import cautions, patch, removal
from controlplane.injector.pod import block, texts
from controlplane.injector.selection import Webhook, find_webhook, unselected, webhooks
from controlplane.kubernetes.call import Call
from controlplane.policy import sidecar_profile
from controlplane.sources.codec import load_schema
from controlplane.sources.reader import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controlplane.injector.patch import Patch
    from controlplane.kubernetes.api import Api
    from controlplane.model.document import Document, ObjectKey, Problem

_Files = Annotated[
    list[str] | None,
    typer.Option("--filename", "-f", help="YAML to look at instead, or - for standard input."),
]
_Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Namespace of the pods; default that of the context.")
]
_Pods = Annotated[list[str] | None, typer.Argument(help="Pods of the cluster; default all of the namespace.")]

_HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_COMPONENT = "app.kubernetes.io/part-of=breakwater,app.kubernetes.io/component=injector"
_PROFILES = "/apis/breakwater.dev/v1alpha1/sidecarprofiles"
_LATER = (
    "it was made before it was to have one, or while no control plane answered; "
    "restart it, as with `kubectl rollout restart`"
)


class _Row(NamedTuple):
    """What is shown of one pod or workload; `is_finding` when something is to be done about it."""

    object: str
    injects: str
    reason: str
    is_finding: bool = False


class _Cluster(NamedTuple):
    """What decides over the pods of one namespace."""

    namespace: Mapping[str, Any]
    webhooks: tuple[Webhook, ...]
    profiles: Mapping[ObjectKey, Document]
    pods: tuple[Mapping[str, Any], ...]


def check_inject(
    pods: _Pods = None,
    *,
    filename: _Files = None,
    namespace: _Namespace = "",
    profiles: Profiles = "",
    root_namespace: Root = "breakwater-system",
    output: options.Output = options.TABLE,
) -> None:
    """Say which pods of a namespace have a sidecar and why not; with -f, which pods of YAML would get one."""
    rows = (
        list(_of_files(filename, namespace or options.NAMESPACE, profiles, root_namespace))
        if filename
        else list(_of_cluster(_looked_up(namespace), pods or ()))
    )
    items = [dict(zip(("object", "injects", "reason"), row[:3], strict=True)) for row in rows]
    show(
        Listing(
            kind="InjectionCheck",
            items=items,
            columns=("OBJECT", "INJECTS" if filename else "INJECTED", "REASON"),
            rows=[row[:3] for row in rows],
            empty="no pods in there",
        ),
        output,
    )
    if any(row.is_finding for row in rows):
        raise FindingError("something is to be done about these pods; see the reasons above")


def _of_files(names: Sequence[str], namespace: str, profiles: str, root_namespace: str) -> Iterator[_Row]:
    change = injection(example(root_namespace), read_profiles(profiles), namespace)
    for name in names:
        for outcome in rewritten(name, change)[1]:
            if outcome.patch is not None:
                yield _row(outcome.object, outcome.patch)


def _row(name: str, change: Patch) -> _Row:
    if change.problems:
        return _Row(name, "refused", _told(change.problems), is_finding=True)
    reasons = "; ".join(filter(None, (change.skip.value if change.skip else "", _told(change.warnings))))
    return _Row(name, "no" if change.skip else "yes", reasons or "-")


def _told(problems: Sequence[Problem]) -> str:
    """What is wrong, and what to do about it."""
    return "; ".join(problem.coded for problem in problems)


def _of_cluster(cluster: _Cluster, names: Sequence[str]) -> Iterator[_Row]:
    for pod in cluster.pods:
        name = str(block(pod, "metadata").get("name"))
        if not names or name in names:
            yield _of_pod(cluster, pod, f"pod/{name}")


def _of_pod(cluster: _Cluster, pod: Mapping[str, Any], name: str) -> _Row:
    namespace, labels = str(block(cluster.namespace, "metadata").get("name")), texts(pod, "labels")
    webhook = find_webhook(cluster.webhooks, texts(cluster.namespace, "labels"), labels)
    if removal.is_injected(pod):
        found = tuple(cautions.find_injected(pod))
        is_finding = any(not problem.warning for problem in found)
        return _Row(name, "yes", _told(found) or "-", is_finding=is_finding)
    if webhook is None:
        return _Row(name, "no", unselected(cluster.webhooks, namespace, labels))
    block_of = load_schema().kinds[sidecar_profile.KIND].spec
    template = example(webhook.root_namespace)
    row = _row(name, patch.inject_with(pod, namespace, template, cluster.profiles, block_of))
    return row._replace(injects="no", reason=_LATER, is_finding=True) if row.injects == "yes" else row


def _looked_up(namespace: str) -> _Cluster:
    from controlplane.kubernetes.api import reaching  # noqa: PLC0415  # a second, for who needs it

    async def ask() -> _Cluster:
        async with reaching(access.kubeconfig()) as api:
            return await _read(api, namespace or api.namespace)

    try:
        return asyncio.run(ask())
    except KubernetesError as error:
        raise ClusterError(
            f"the cluster does not say: {error}\n"
            "see `kubectl auth can-i --list`; `breakwater check-inject -f FILE` needs no cluster"
        ) from error


async def _read(api: Api, namespace: str) -> _Cluster:
    place = f"/api/v1/namespaces/{namespace}"
    hooks = await _json(api, Call(path=_HOOKS, query={"labelSelector": _COMPONENT}))
    profiles = await _json(api, Call(path=_PROFILES)) if hooks["items"] else {"items": []}
    return _Cluster(
        namespace=await _json(api, Call(path=place)),
        webhooks=webhooks(hooks["items"]),
        profiles=dict(_documents(profiles["items"])),
        pods=tuple((await _json(api, Call(path=f"{place}/pods")))["items"]),
    )


async def _json(api: Api, call: Call) -> Any:
    return msgspec.json.decode(await api.call(call))


def _documents(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[ObjectKey, Document]]:
    """Profiles as their authors wrote them, those that can be read."""
    for one in found:
        meta = {name: block(one, "metadata")[name] for name in ("name", "namespace")}
        whole = {"apiVersion": one["apiVersion"], "kind": sidecar_profile.KIND, "metadata": meta}
        text = msgspec.json.encode({**whole, "spec": one.get("spec", {})}).decode()
        for document in parse(text, "cluster", load_schema()).documents:
            yield document.key, document
