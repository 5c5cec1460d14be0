"""A whole mesh on a real etcd: registrations, policies and traffic, over a restart of the control plane."""

from pathlib import Path

from registry.keys import PREFIX
from tests.support.documents import rate_limit, service
from tests.support.etcd import Member
from tests.support.fleet import fleet
from tests.support.rawclient import fetch
from tests.support.upstream import ScriptedUpstream

LIMITS = [{"name": "all", "requests": 100_000, "per": "1s"}]


async def test_sidecars_find_each_other_and_their_policies_through_etcd(tmp_path: Path, etcd: Member) -> None:
    async with ScriptedUpstream() as upstream, fleet(tmp_path, store=etcd.location) as mesh:
        caller = await mesh.join("test/caller", app_port=upstream.port)
        await mesh.join("test/callee", app_port=upstream.port)
        await mesh.put("limits", rate_limit("limits", service("callee"), limits=LIMITS))
        assert (await fetch(caller.outbound, host="callee")).status == 200

        await mesh.plane.process.kill()
        await mesh.plane.process.start()
        await mesh.plane.ready()
        assert (await fetch(caller.outbound, host="callee")).status == 200
        assert len((await etcd.ctl("get", "--prefix", "--keys-only", PREFIX)).split()) == 2
