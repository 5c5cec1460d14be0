"""The story: scenes in order, each with what is expected and what was measured.

Every scene waits for conditions, never for the clock, but where load itself needs time to be measured.
"""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from controlplane.cli.errors import CommandError
from controlplane.demo.load import Flow, Load, Outcome, failures, quantile
from controlplane.demo.mesh import NAMES, Mesh, Store
from controlplane.demo.processes import until
from controlplane.demo.topology import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

BROWSE = Flow(name="browse", path="/browse", per_second=60, users=tuple(f"user-{n}" for n in range(20)))
CHECKOUT = Flow(
    name="checkout", path="/checkout", per_second=30, users=tuple(f"user-{n}" for n in range(20, 40))
)
HOT = Flow(name="hot", path="/browse", per_second=150, users=("hot",))
EDITS = 20
EDIT_P95_SECONDS = 0.3
AT_ONCE_SECONDS = 0.1
CONVERGE_SECONDS = 10.0
RESIDENT_MEGABYTES = 20.0
LOAD_SECONDS = 60.0
WRITE_SECONDS = 3.0
_STORED = """\
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: stored, namespace: shop}
spec:
  targetRefs: [{kind: Service, name: cart}]
  limits: [{name: stored, requests: 1000, per: 1s}]
"""
_USER_LIMIT = 50  # per second and burst, policies/limits.yaml
_QUOTA = re.compile(r'(?<="total";q=)\d+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One line of the summary."""

    scene: str
    expected: str
    measured: str
    held: bool


@dataclass(slots=True)
class Story:
    """What the scenes share: the mesh, the load, and the lines of the summary so far."""

    mesh: Mesh
    load: Load
    say: Callable[[str], None]
    began: float
    lines: list[Expectation] = field(default_factory=list)
    scene: str = ""

    def now(self) -> float:
        """Return the instant on the loop's clock, seconds."""
        return asyncio.get_running_loop().time()

    def expect(self, expected: str, measured: str, held: bool) -> None:
        """Add a line to the summary."""
        line = Expectation(scene=self.scene, expected=expected, measured=measured, held=held)
        self.lines.append(line)
        self.say(f"  {'√' if held else '×'} {expected}: {measured}")

    async def stored(self) -> bool:
        """Return whether the control plane takes a policy into its store now."""
        try:
            await self.mesh.ask("ApplyPolicies", {"manifests": [{"file": "stored.yaml", "text": _STORED}]})
        except CommandError:
            return False
        return True

    def expect_none_failed(self, outcomes: list[Outcome], what: str) -> None:
        """Add the line that none of some requests failed."""
        failed = failures(outcomes)
        self.expect(f"no failed {what}", f"{failed} of {len(outcomes)}", bool(outcomes) and failed == 0)


async def healthy(story: Story) -> None:
    """All is well."""
    start = story.now()
    story.load.begin(BROWSE)
    story.load.begin(CHECKOUT)
    await asyncio.sleep(6)
    story.expect_none_failed(story.load.since(start), "requests")


async def payments_fail(story: Story) -> None:
    """Payments slows and fails: its breaker opens, the others stay whole."""
    start = story.now()
    await story.mesh.behave(delay_ms=120, failing=True)
    took = await _breaker_is(story, "OPEN")
    story.expect("the breaker over payments opens", f"after {took:.1f} s", held=True)
    verdict = await story.mesh.ask("Explain", {"from": _service("storefront"), "to": _service("payments")})
    story.expect("explain tells the same story", verdict["reason"], held=verdict["reason"] == "breaker.open")
    await asyncio.sleep(3)
    answers = [one for one in story.load.since(start + took, "checkout") if not one.ok]
    fast = quantile([one.seconds for one in answers], 0.5)
    story.expect(
        "refusals answer at once",
        f"median {fast * 1e3:.0f} ms of {len(answers)}",
        held=bool(answers) and fast < AT_ONCE_SECONDS,
    )
    story.expect_none_failed(story.load.since(start, "browse"), "requests to the others")


async def payments_recover(story: Story) -> None:
    """Payments recovers: the breaker probes, and closes."""
    await story.mesh.behave(delay_ms=2, failing=False)
    took = await _breaker_is(story, "CLOSED")
    states = await _transitions_to(story, "CLOSED")
    path = " -> ".join(state.lower() for state in states)
    held = states[-2:] == ["HALF_OPEN", "CLOSED"] and states[0] == "OPEN"
    story.expect("open, then half-open, then closed", f"{path}, after {took:.1f} s", held=held)
    start = story.now()
    await asyncio.sleep(3)
    story.expect_none_failed(story.load.since(start), "requests afterwards")


async def hot_client(story: Story) -> None:
    """One client asks too much: it meets its limit, nobody else does."""
    start = story.now()
    story.load.begin(HOT)
    await asyncio.sleep(4)
    await story.load.end(HOT.name)
    seconds = story.now() - start
    hot = story.load.since(start, "hot")
    admitted, refused = [one for one in hot if one.ok], [one for one in hot if not one.ok]
    bound = _USER_LIMIT * (1 + seconds)
    story.expect(
        f"the hot client gets at most {_USER_LIMIT}/s and a burst of {_USER_LIMIT}",
        f"{len(admitted)} admitted, bound {bound:.0f}",
        held=0 < len(admitted) <= bound,
    )
    named = [
        one
        for one in refused
        if one.status == HTTPStatus.TOO_MANY_REQUESTS and "ratelimit.token" in one.reason and one.retry_after
    ]
    story.expect(
        "each refusal says why and when to return",
        f"{len(named)} of {len(refused)}",
        held=len(named) == len(refused) > 0,
    )
    story.expect_none_failed(story.load.since(start, "browse", "checkout"), "requests of the others")


async def edits(story: Story) -> None:
    """A policy file is edited, again and again: every sidecar enforces it."""
    start = story.now()
    took = [await _edit(story, 1001 + number) for number in range(EDITS)]
    p50, p95 = quantile(took, 0.5), quantile(took, 0.95)
    story.expect(
        f"{EDITS} edits enforced in all four sidecars, p95 under {EDIT_P95_SECONDS * 1e3:.0f} ms",
        f"p50 {p50 * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms",
        held=p95 < EDIT_P95_SECONDS,
    )
    story.expect_none_failed(story.load.since(start), "requests meanwhile")


async def _edit(story: Story, quota: int) -> float:
    path = story.mesh.policies / "limits.yaml"
    text = re.sub(r"requests: 1\d\d\d", f"requests: {quota}", path.read_text(encoding="utf-8"), count=1)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    start = story.now()

    async def enforced() -> bool:
        answers = await asyncio.gather(*(story.mesh.quota(name) for name in NAMES))
        return all((found := _QUOTA.search(answer)) and int(found[0]) == quota for answer in answers)

    await until(enforced, f"a quota of {quota} in live traffic", processes=story.mesh.processes)
    return story.now() - start


async def control_plane_dies(story: Story) -> None:
    """The control plane is killed, and a sidecar restarted meanwhile: traffic goes on."""
    start = story.now()
    await story.mesh.control_plane.stop(signal.SIGKILL)
    await asyncio.sleep(3)
    story.expect_none_failed(story.load.since(start), "requests without a control plane")
    sidecar, killed = story.mesh.sidecars["cart"], story.now()
    await sidecar.stop(signal.SIGKILL)
    await sidecar.start()
    restarted = story.now()

    async def serves() -> bool:
        return bool(await story.mesh.quota("cart"))

    await until(serves, "the restarted sidecar to serve", processes=[sidecar])
    back = story.now() - restarted
    story.expect(
        "a restarted sidecar serves its last good configuration within 1 s", f"{back:.2f} s", held=back <= 1
    )
    await asyncio.sleep(3)
    story.expect_none_failed(story.load.since(killed, "checkout"), "requests to the others")
    after = story.load.since(restarted + back, "browse")
    story.expect_none_failed(after, "requests to the restarted one's service once it serves")


async def control_plane_returns(story: Story) -> None:
    """It returns: all converge."""
    start = story.now()
    await story.mesh.control_plane.start()
    took = await until(story.mesh.converged, "all four sidecars to converge", processes=story.mesh.processes)
    story.expect("all four sidecars converge within 10 s", f"{took:.1f} s", held=took <= CONVERGE_SECONDS)
    await asyncio.sleep(2)
    story.expect_none_failed(story.load.since(start), "requests meanwhile")


async def etcd_leader_dies(story: Story) -> None:
    """The leader of etcd is killed: traffic goes on, and soon policies are taken again."""
    start, leader = story.now(), await story.mesh.etcd_leader()
    await leader.process.stop(signal.SIGKILL)
    killed = story.now()
    await until(story.stored, "a policy to be taken", processes=story.mesh.processes)
    took = story.now() - killed
    story.expect(
        f"a policy is taken within {WRITE_SECONDS:.0f} s", f"{took:.1f} s", held=took <= WRITE_SECONDS
    )

    async def enforced() -> bool:
        return '"stored"' in await story.mesh.quota("cart")

    took = await until(enforced, "the policy in live traffic", processes=story.mesh.processes)
    story.expect("and enforced", f"after {took:.2f} s", held=took <= WRITE_SECONDS)
    await asyncio.sleep(3)
    converged = await story.mesh.converged()
    story.expect("no sidecar is lost", "four connected" if converged else "some are gone", held=converged)
    story.expect_none_failed(story.load.since(start), "requests without it")
    await leader.process.start()
    took = await until(story.mesh.etcd_is_whole, "etcd to be whole", processes=story.mesh.processes)
    story.expect("it comes back among the others", f"{took:.1f} s", held=took <= CONVERGE_SECONDS)
    await asyncio.sleep(2)
    story.expect_none_failed(story.load.since(start), "requests meanwhile")


async def memory(story: Story) -> None:
    """After a minute of load, what each sidecar weighs."""
    await asyncio.sleep(max(0.0, LOAD_SECONDS - (story.now() - story.began)))
    weights = {name: process.resident_megabytes() for name, process in story.mesh.sidecars.items()}
    story.expect(
        f"each sidecar at most {RESIDENT_MEGABYTES:.0f} MB resident",
        ", ".join(f"{name} {weight:.1f}" for name, weight in weights.items()),
        held=max(weights.values()) <= RESIDENT_MEGABYTES,
    )


_SHARED = (healthy, payments_fail, payments_recover, hot_client, edits)
SCENES: Mapping[Store, tuple[Callable[[Story], Awaitable[None]], ...]] = {
    Store.SQLITE: (*_SHARED, control_plane_dies, control_plane_returns, memory),
    Store.ETCD: (*_SHARED, etcd_leader_dies, memory),
}


def _service(name: str) -> dict[str, str]:
    return {"namespace": NAMESPACE, "name": name}


async def _breaker_is(story: Story, state: str) -> float:
    async def reached() -> bool:
        return await story.mesh.breaker("payments") == state

    return await until(reached, f"the breaker over payments to be {state}", processes=story.mesh.processes)


async def _transitions_to(story: Story, state: str) -> list[str]:
    """Return the reported transitions of the breaker over payments, once the last of them is to `state`."""
    states: list[str] = []

    async def reported() -> bool:
        answer = await story.mesh.ask("ListEvents", {"service": _service("payments")})
        events = [one["event"] for one in answer["events"] if one["event"]["kind"] == "breaker"]
        states[:] = [event["to"].removeprefix("BREAKER_STATE_") for event in events]
        return states[-1:] == [state]

    await until(reported, f"a report of the breaker being {state}", processes=story.mesh.processes)
    return states
