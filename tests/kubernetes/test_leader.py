"""Who writes to a cluster that several control planes watch."""

from pathlib import Path

from controlplane.config import Cluster
from controlplane.kubernetes.api import reaching
from controlplane.kubernetes.leader import standing
from registry.clock import MonotonicClock
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.kube.scripted import Refuse, scripted
from tests.support.readiness import no_longer, that, until


async def test_one_of_two_leads_and_the_other_once_it_has_left(kubernetes: ApiServer) -> None:
    await kubernetes.create_namespace("led")
    kubeconfig = kubernetes.kubeconfig_with(ADMIN_TOKEN, name="led", namespace="led")
    async with reaching(Cluster(kubeconfig=str(kubeconfig))) as api:
        async with standing(api, "one", MonotonicClock()) as one:
            await until(that(lambda: one.is_leading))
            async with standing(api, "two", MonotonicClock()) as two:
                await one.resign()
                await until(that(lambda: one.is_leading or two.is_leading))
                assert one.is_leading != two.is_leading
        lease = await kubernetes.get("lease", "breakwater-controlplane", "-n", "led")
        assert lease["spec"]["holderIdentity"] == ""


async def test_a_leader_that_cannot_renew_leads_no_more(kubernetes: ApiServer, tmp_path: Path) -> None:
    async with (
        scripted(kubernetes, tmp_path) as proxy,
        reaching(Cluster(kubeconfig=str(proxy.kubeconfig))) as api,
        standing(api, "cut off", MonotonicClock()) as leader,
    ):
        await until(that(lambda: leader.is_leading))
        proxy.lists.extend([Refuse(status=500)] * 20)
        await until(no_longer(that(lambda: leader.is_leading)), timeout_seconds=20)
    await kubernetes.kubectl(
        "delete", "lease", "breakwater-controlplane"
    )  # it would hold up others for a while
