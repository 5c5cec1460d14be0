"""Services say which policies target them, where people asked for it."""

from pathlib import Path

from tests.support.charts.render import CHART, NAMESPACE, find, rendered
from tests.support.kube import ApiServer
from tests.support.kube.objects import policy, service
from tests.support.mesh import cluster_controlplane
from tests.support.readiness import Condition, until

HERE = "affected"
PREFIX = "breakwater.dev/"


def says(server: ApiServer, **kinds: str) -> Condition:
    """The condition that the cart names these policies, and keeps what others say of it."""
    wanted = {f"{PREFIX}{kind}Affected": names for kind, names in kinds.items()}

    async def holds() -> bool:
        found = (await server.get("service", "cart", "-n", HERE))["metadata"]["annotations"]
        return bool(found == {f"{PREFIX}owner": "team-a", **wanted})

    return holds


async def account(server: ApiServer) -> Path:
    """The kubeconfig of the account that the chart makes where Services are annotated, and may do no more."""
    objects = await rendered(CHART, "--set=controlplane.annotateServices=true")
    kinds = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    await server.create_namespace(NAMESPACE)
    await server.apply(*(each for each in objects if each["kind"] in kinds))
    name = find(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    return server.kubeconfig_with(await server.token(NAMESPACE, name), name=HERE, namespace=NAMESPACE)


async def test_a_service_names_the_policies_that_target_it(kinds: ApiServer, tmp_path: Path) -> None:
    await kinds.create_namespace(HERE)
    await kinds.apply(service(HERE, "cart", owner="team-a"))
    flags = ("--insecure", "--annotate-services")
    async with cluster_controlplane(tmp_path, await account(kinds), flags=flags):
        limits = [{"name": "few", "requests": 1, "per": "1s"}]
        few = policy(HERE, "few", "cart", kind="RateLimitPolicy", limits=limits)
        await kinds.apply(policy(HERE, "cart", timeouts={"request": "1s"}), few)
        await until(says(kinds, ResiliencePolicy=f"{HERE}/cart", RateLimitPolicy=f"{HERE}/few"))
        await kinds.kubectl("delete", "rlp", "few", "-n", HERE)
        await until(says(kinds, ResiliencePolicy=f"{HERE}/cart"))
        await kinds.kubectl("delete", "resp", "cart", "-n", HERE)
        await until(says(kinds))
