"""Which questions of the kubelet are told to the sidecar, and which are put to it."""

from typing import Any

import pytest

from controlplane.injector import removal
from controlplane.injector.operations import apply
from controlplane.injector.verdict import Skip
from tests.support.injection import inject, injected

PORTS = [{"name": "web", "containerPort": 8080}, {"name": "lines", "containerPort": 9000}]


def pod(action: dict[str, Any], *, probe: str = "livenessProbe", **annotations: str) -> dict[str, Any]:
    container = {"name": "cart", "image": "cart:1", "ports": PORTS, probe: action}
    known = {f"breakwater.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    metadata: dict[str, Any] = {"name": "cart", **({"annotations": known} if known else {})}
    return {"metadata": metadata, "spec": {"containers": [container]}}


def told(found: dict[str, Any]) -> list[str]:
    """Return what the sidecar of the injected pod is told of probes."""
    [sidecar] = [
        one for one in injected(found)["spec"]["initContainers"] if one["name"] == "breakwater-sidecar"
    ]
    return [flag.removeprefix("--probe=") for flag in sidecar["args"] if flag.startswith("--probe=")]


@pytest.mark.parametrize(
    ("action", "flags"),
    [
        ({"httpGet": {"path": "/live", "port": 8080}}, ["8080/live"]),
        ({"httpGet": {"port": "web"}}, ["8080/"]),
        ({"httpGet": {"path": "live", "port": "8081"}}, ["8081/live"]),
        ({"httpGet": {"path": "/a b?c=d#e", "port": 80}}, ["80/a%20b?c=d"]),
        ({"httpGet": {"path": "/$(POD_NAME)", "port": 80}}, ["80/$$(POD_NAME)"]),
        ({"httpGet": {"path": "/live?a=$b", "port": 8443, "scheme": "HTTPS"}}, ["https:8443/live?a=$$b"]),
        ({"httpGet": {"port": "web", "scheme": "HTTPS", "host": "10.0.0.1"}}, []),
        ({"httpGet": {"path": "/", "port": 80, "host": "10.0.0.1"}}, []),
        ({"httpGet": {"path": "/", "port": "absent"}}, []),
        ({"httpGet": {"path": "/ready", "port": 15090}}, []),
        ({"grpc": {"port": 9001, "service": "cart"}}, ["9001/grpc.health.v1.Health/Check"]),
        ({"tcpSocket": {"port": "lines"}}, ["9000"]),
        ({"tcpSocket": {"port": 70_000}}, []),
        ({"tcpSocket": {"port": "9" * 5_000}}, []),
        ({"exec": {"command": ["check"]}}, []),
        ({}, []),
    ],
)
@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_the_sidecar_is_told_what_the_kubelet_asks(
    action: dict[str, Any], flags: list[str], probe: str
) -> None:
    assert told(pod(action, probe=probe)) == flags


def test_hooks_over_http_are_asked_like_probes_and_none_connects() -> None:
    get, connect = {"httpGet": {"path": "/stop", "port": "web"}}, {"tcpSocket": {"port": "web"}}
    found = pod({"preStop": get, "postStart": connect}, probe="lifecycle")
    assert told(found) == ["8080/stop"]
    assert injected(found)["spec"]["containers"] == found["spec"]["containers"]


@pytest.mark.parametrize("port", [9000, "lines", "9000"])
def test_what_only_connects_is_put_to_the_sidecar_and_taken_back(port: int | str) -> None:
    found = pod({"tcpSocket": {"port": port}, "periodSeconds": 3})
    whole = injected(found)
    [container] = whole["spec"]["containers"]
    page = {"path": "/probe/9000", "port": 15090}
    assert container["livenessProbe"] == {"httpGet": page, "periodSeconds": 3}
    assert inject(whole).skip is Skip.INJECTED
    assert apply(whole, removal.uninject(whole)) == found


def test_what_is_asked_over_tls_is_put_to_the_sidecar_and_taken_back() -> None:
    said = {"httpHeaders": [{"name": "X-Token", "value": "a"}]}
    asking = {"path": "/live?a=$b", "port": "web", "scheme": "HTTPS", **said}
    found = pod({"httpGet": asking, "periodSeconds": 3})
    whole = injected(found)
    [container] = whole["spec"]["containers"]
    page = {**said, "path": "/probe/8080/live?a=$b", "port": 15090}
    assert container["livenessProbe"] == {"httpGet": page, "periodSeconds": 3}
    assert inject(whole).skip is Skip.INJECTED
    assert apply(whole, removal.uninject(whole)) == found


def test_a_container_that_others_add_later_is_asked_the_same_way() -> None:
    whole = injected(pod({"tcpSocket": {"port": 9000}}))
    late = {"name": "late", "startupProbe": {"tcpSocket": {"port": 9000}}}
    whole["spec"]["containers"].append(late)
    again = injected(whole)["spec"]["containers"]
    assert [one.get("livenessProbe", one.get("startupProbe")) for one in again] == [
        {"httpGet": {"path": "/probe/9000", "port": 15090}}
    ] * 2


@pytest.mark.parametrize("annotations", [{"capture": "Explicit"}, {"skip_inbound_ports": "9000"}])
def test_where_the_kubelet_reaches_the_application_itself_nothing_changes(
    annotations: dict[str, str],
) -> None:
    for action in ({"tcpSocket": {"port": 9000}}, {"httpGet": {"port": 9000, "scheme": "HTTPS"}}):
        found = pod(action, **annotations)
        assert told(found) == []
        assert injected(found)["spec"]["containers"] == found["spec"]["containers"]
