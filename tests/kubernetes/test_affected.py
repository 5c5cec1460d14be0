"""Services say which policies target them, where people asked for it."""

from pathlib import Path

from tests.support.kube import ADMIN_TOKEN, ApiServer
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


async def test_a_service_names_the_policies_that_target_it(kinds: ApiServer, tmp_path: Path) -> None:
    await kinds.create_namespace(HERE)
    await kinds.apply(service(HERE, "cart", owner="team-a"))
    kubeconfig = kinds.kubeconfig_with(ADMIN_TOKEN, name=HERE, namespace=HERE)
    async with cluster_controlplane(tmp_path, kubeconfig, flags=("--insecure", "--annotate-services")):
        limits = [{"name": "few", "requests": 1, "per": "1s"}]
        few = policy(HERE, "few", "cart", kind="RateLimitPolicy", limits=limits)
        await kinds.apply(policy(HERE, "cart", timeouts={"request": "1s"}), few)
        await until(says(kinds, ResiliencePolicy=f"{HERE}/cart", RateLimitPolicy=f"{HERE}/few"))
        await kinds.kubectl("delete", "rlp", "few", "-n", HERE)
        await until(says(kinds, ResiliencePolicy=f"{HERE}/cart"))
        await kinds.kubectl("delete", "resp", "cart", "-n", HERE)
        await until(says(kinds))
