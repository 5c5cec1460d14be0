"""The chart as Helm renders it: what it refuses, what it may do, and what its pods may do."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from controlplane.flags import FLAGS
from controlplane.sources.codec import load_schema
from tests.support.charts import golden
from tests.support.charts.render import CHART, CHARTS, NAMESPACE, VALUES, Object, find, pods, rendered
from tests.support.helm import Helm, HelmError
from tests.support.kube import ApiServer
from tests.support.reference import ROOT

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
KINDS = tuple(kind.plural for kind in load_schema().kinds.values() if kind.is_ours)
READ = ("list", "watch")
ETCD = "--set=etcd.endpoints={etcd-0.etcd:2379}"


@pytest.fixture
def offline(tmp_path: Path) -> Helm:
    """Helm without a cluster."""
    return Helm(home=tmp_path)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
async def test_the_chart_passes_lint(offline: Helm, values: Path) -> None:
    await offline("lint", "--strict", CHART, f"--values={values}")


async def test_the_chart_of_the_kinds_passes_lint(offline: Helm) -> None:
    await offline("lint", "--strict", CHARTS / "breakwater-crds")


async def test_what_is_rendered_is_what_was_reviewed() -> None:
    for path, text in (await golden.files()).items():
        assert path.read_text(encoding="utf-8") == text, "see `make chart`"


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
async def test_an_api_server_takes_everything_rendered(kinds: ApiServer, values: Path) -> None:
    await kinds.create_namespace(NAMESPACE, RESTRICTED)
    await kinds.apply(*await rendered(CHART, f"--values={values}"), dry_run=True)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
async def test_every_pod_passes_pod_security_restricted(kinds: ApiServer, values: Path) -> None:
    await kinds.create_namespace(NAMESPACE, RESTRICTED)
    objects = await rendered(CHART, f"--values={values}", "--set=controlplane.priorityClass.create=false")
    accounts = [each for each in objects if each["kind"] == "ServiceAccount"]
    await kinds.apply(*accounts)
    found = list(pods(objects))
    assert len(found) >= 2
    await kinds.apply(*found, dry_run=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set=controlplane.replica=2",), "additional properties 'replica' not allowed"),
        (("--set=controlplane.replicas=many",), "want integer"),
        (("--set=controlplane.replicas=0",), "minimum: got 0, want 1"),
        (("--set=injector.failurePolicy=Perhaps",), "must be one of 'Ignore', 'Fail'"),
        (("--set=controlplane.replicas=2",), "several replicas need an etcd"),
        ((ETCD,), "without etcd.tls.secretName is plain text"),
        ((ETCD, "--set=etcd.bundled.enabled=true"), "exclude each other"),
        (("--set=monitoring.serviceMonitor.enabled=true",), "no kinds of the Prometheus operator"),
    ],
)
async def test_values_that_cannot_work_are_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(HelmError, match=message):
        await rendered(CHART, *words)


async def test_values_of_a_parent_chart_are_let_through() -> None:
    assert await rendered(CHART, "--set=global.anything=1")


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
async def test_the_control_plane_knows_every_flag_it_is_given(values: Path) -> None:
    deployment = find(await rendered(CHART, f"--values={values}"), "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    given = {word.partition("=")[0].removeprefix("--") for word in container["args"]}
    assert given <= {flag.name for flag in FLAGS}


CLIENTS = "--set=controlplane.adminClients.caSecret=people"


@pytest.mark.parametrize(
    ("words", "is_asked", "is_tested"),
    [
        ((), False, True),
        ((CLIENTS,), True, False),
        ((CLIENTS, "--set=controlplane.adminClients.testSecret=tester"), True, True),
        ((CLIENTS, "--set=controlplane.insecure=true"), False, True),
    ],
    ids=["nobody", "people", "tested", "insecure"],
)
async def test_people_show_certificates_where_the_chart_says_who_signs_them(
    words: tuple[str, ...], is_asked: bool, is_tested: bool
) -> None:
    objects = await rendered(CHART, *words)
    pod = find(objects, "Deployment")["spec"]["template"]["spec"]
    assert (
        "--admin-client-ca=/etc/breakwater/admin-clients/ca.crt" in pod["containers"][0]["args"]
    ) is is_asked
    mounted = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    assert (mounted.get("admin-clients") == "people") is is_asked
    checks = [one for one in objects if one["metadata"]["name"].endswith("-check")]
    assert bool(checks) is is_tested
    shown = [one["name"] for check in checks for one in check["spec"]["containers"][0]["env"]]
    assert ("BREAKWATER_ADMIN_CERT" in shown) is (is_asked and is_tested)


async def test_the_roles_allow_this_and_nothing_more() -> None:
    objects = await rendered(CHART)
    assert set(allowed(find(objects, "ClusterRole"))) == {
        *product([""], ["services", "pods", "namespaces", "serviceaccounts"], [""], READ),
        *product(["discovery.k8s.io"], ["endpointslices"], [""], READ),
        *product(["gateway.networking.k8s.io"], ["httproutes", "grpcroutes", "referencegrants"], [""], READ),
        *product(["gateway.networking.k8s.io"], ["httproutes/status", "grpcroutes/status"], [""], ["patch"]),
        *product(["breakwater.dev"], KINDS, [""], READ),
        *product(["breakwater.dev"], [f"{kind}/status" for kind in KINDS], [""], ["patch"]),
        *product(["events.k8s.io"], ["events"], [""], ["create", "get", "patch"]),
        ("authentication.k8s.io", "tokenreviews", "", "create"),
        *product([""], ["configmaps"], ["breakwater-ca"], ["list", "create", "patch"]),
        *product(
            ["admissionregistration.k8s.io"],
            ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            ["breakwater-injector", "breakwater-validator"],
            ["get", "patch"],
        ),
    }
    assert set(allowed(find(objects, "Role"))) == {
        ("coordination.k8s.io", "leases", "", "create"),
        *product(["coordination.k8s.io"], ["leases"], ["breakwater-controlplane"], ["get", "update"]),
        ("", "secrets", "", "create"),
        *product([""], ["secrets"], ["breakwater-ca"], ["get", "update"]),
    }


async def test_a_revision_has_names_of_its_own() -> None:
    objects = await rendered(CHART, "--set=injector.revision=canary")
    known = {name for kind in ("ClusterRole", "Role") for _, _, name, _ in allowed(find(objects, kind))}
    assert known == {
        "",
        "breakwater-ca-canary",
        "breakwater-controlplane-canary",
        "breakwater-injector",
        "breakwater-validator",
    }


async def test_only_who_annotates_services_may_patch_them() -> None:
    annotating = "--set=controlplane.annotateServices=true"
    more = set(allowed(find(await rendered(CHART, annotating), "ClusterRole")))
    assert more - set(allowed(find(await rendered(CHART), "ClusterRole"))) == {("", "services", "", "patch")}


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://collector.shop:4318", 4318), ("http://collector/in", 80), ("https://traces.example", 443)],
)
async def test_the_collector_of_spans_is_named_and_may_be_reached(endpoint: str, port: int) -> None:
    words = ("--set=networkPolicy.enabled=true", f"--set=controlplane.otlpEndpoint={endpoint}")
    objects = await rendered(CHART, *words)
    [container] = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert f"--otlp-endpoint={endpoint}" in container["args"]
    egress = find(objects, "NetworkPolicy")["spec"]["egress"]
    assert {"ports": [{"port": port}]} in egress


def allowed(role: Object) -> Iterator[tuple[str, str, str, str]]:
    """Every group, resource, name (empty for all) and verb that a role allows."""
    for rule in role["rules"]:
        names = rule.get("resourceNames", [""])
        yield from product(rule["apiGroups"], rule["resources"], names, rule["verbs"])


async def test_every_object_says_what_it_is_part_of() -> None:
    for each in await rendered(CHART, f"--values={CHART / 'values-ha.yaml'}"):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "breakwater", each["metadata"]["name"]
        assert {f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "managed-by")} <= set(
            labels
        )


@pytest.mark.parametrize("words", [(), ("--set=injector.revision=canary",)], ids=["plain", "revision"])
async def test_the_injector_never_sees_its_own_namespace_or_the_clusters(words: tuple[str, ...]) -> None:
    webhooks = find(await rendered(CHART, *words), "MutatingWebhookConfiguration")["webhooks"]
    assert len(webhooks) == 2
    for webhook in webhooks:
        first = webhook["namespaceSelector"]["matchExpressions"][0]
        assert (first["key"], first["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
        assert first["values"] == ["kube-system", "kube-public", "kube-node-lease", NAMESPACE]
        assert (webhook["reinvocationPolicy"], webhook["sideEffects"]) == ("IfNeeded", "None")


async def test_two_releases_share_no_name(tmp_path: Path) -> None:
    names = []
    for release in ("one", "two"):
        where = ("template", release, CHART, "--set=crds.install=false", f"--namespace={release}")
        text = await Helm(home=tmp_path)(*where)
        names.append({line for line in text.splitlines() if line.startswith("  name: ")})
    assert not names[0] & names[1]


def test_the_charts_have_one_version() -> None:
    versions = {
        line
        for chart in ("breakwater", "breakwater-crds")
        for line in (CHARTS / chart / "Chart.yaml").read_text().splitlines()
        if line.startswith(("version:", "appVersion:"))
    }
    program = (ROOT / "pyproject.toml").read_text().partition('\nversion = "')[2].partition('"')[0]
    assert versions == {f"version: {program}", f"appVersion: {program}"}
