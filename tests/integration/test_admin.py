"""AdminService over real sockets."""

import threading
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from controlplane.admin import views
from controlplane.peers.mesh import Mesh
from mesh.v1 import admin_pb2, sidecar_admin_pb2, telemetry_pb2
from tests.support.control_plane import Plane, policy, running_plane
from tests.support.desired import host, outbound
from tests.support.light_commands import CART, FROM_WEB_TO_CART, attached, breakers, explained
from tests.support.light_sidecar import light_sidecar
from tests.support.readiness import until
from tests.support.registrations import registration

OUTBOUND = outbound("shop/cart")
CART_POLICY = ("ResiliencePolicy", "shop", "cart")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path) as plane:
        await plane.registry.register(registration())
        yield plane


def manifest(text: str, file: str = "cart.yaml") -> admin_pb2.Manifest:
    return admin_pb2.Manifest(file=file, text=text)


async def apply(plane: Plane, *texts: str) -> admin_pb2.ApplyPoliciesResponse:
    return await plane.admin.ApplyPolicies(admin_pb2.ApplyPoliciesRequest(manifests=map(manifest, texts)))


async def get(plane: Plane, kind: str, namespace: str, name: str) -> admin_pb2.PolicyStatus:
    request = admin_pb2.GetPolicyRequest(kind=kind, namespace=namespace, name=name)
    return (await plane.admin.GetPolicy(request)).policy


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, dict[str, Any]]:
    """The code, the words and the details by type of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    metadata = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    details: dict[str, Any] = {}
    for detail in status.details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
            message = kind()
            if detail.Unpack(message):
                details[kind.__name__] = message
    return error.code(), error.details() or "", details


async def test_applied_policy_is_in_force_and_shown_with_its_state(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0", OUTBOUND) as sidecar:
        await sidecar.until(lambda one: OUTBOUND in one.held)
        response = await apply(plane, policy("2s"))
        assert [one.outcome for one in response.applied] == ["created"]
        await sidecar.until(lambda one: len(one.responses) == 2)

        async def is_confirmed() -> bool:
            return (await get(plane, *CART_POLICY)).applied == 1

        await until(is_confirmed)
        status = await get(plane, *CART_POLICY)
        assert (status.revision, status.targeted, status.applied) == (response.revision, 1, 1)
        assert "request: 2s" in status.yaml
        conditions = {one.type: (one.status, one.reason) for one in status.conditions}
        assert conditions["Accepted"] == (True, "Accepted")
        assert conditions["Synced"] == (True, "Synced")


async def test_applying_again_says_what_changed(plane: Plane) -> None:
    await apply(plane, policy("2s"))
    assert [one.outcome for one in (await apply(plane, policy("2s"))).applied] == ["unchanged"]
    changed = await apply(plane, policy("3s"))
    assert [(one.outcome, one.policy.generation) for one in changed.applied] == [("configured", 2)]


async def test_one_problem_keeps_every_document_out(plane: Plane) -> None:
    response = await apply(plane, policy("2s"), policy("soon", name="other"))
    errors = [one for one in response.problems if not one.warning]
    assert [(one.path, one.line) for one in errors] == [("spec.timeouts.request", 6)]
    assert not response.applied
    assert response.revision == 0
    assert (await plane.admin.ListPolicies(admin_pb2.ListPoliciesRequest())).policies == []


async def test_object_in_two_manifests_is_a_problem(plane: Plane) -> None:
    manifests = [manifest(policy("2s"), "one.yaml"), manifest(policy("3s"), "two.yaml")]
    request = admin_pb2.ValidatePoliciesRequest(manifests=manifests)
    response = await plane.admin.ValidatePolicies(request)
    assert [(one.file, one.message) for one in response.problems] == [
        ("two.yaml", "defined in one.yaml:1 as well")
    ]


async def test_validating_keeps_nothing(plane: Plane) -> None:
    request = admin_pb2.ValidatePoliciesRequest(manifests=[manifest(policy("2s"))])

    async def finds_the_service() -> bool:
        response = await plane.admin.ValidatePolicies(request)
        return (response.documents, [one.code for one in response.problems]) == (1, ["BW0105"])

    await until(finds_the_service)
    assert (await plane.admin.ListPolicies(admin_pb2.ListPoliciesRequest())).policies == []


async def test_deleted_policy_is_gone_from_sidecars(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0", OUTBOUND) as sidecar:
        await sidecar.until(lambda one: OUTBOUND in one.held)
        before = sidecar.held[OUTBOUND]
        await apply(plane, policy("2s"))
        await sidecar.until(lambda one: one.held[OUTBOUND] != before)
        request = admin_pb2.DeletePolicyRequest(kind="resp", namespace="shop", name="cart")
        assert (await plane.admin.DeletePolicy(request)).revision == 2
        await sidecar.until(lambda one: one.held[OUTBOUND] == before)


async def test_policies_are_listed_though_one_goes_meanwhile(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await apply(plane, policy("2s"))
    ask = Mesh.convergence

    async def delete_and_ask(mesh: Mesh, *arguments: Any) -> Any:
        request = admin_pb2.DeletePolicyRequest(kind="resp", namespace="shop", name="cart")
        await plane.admin.DeletePolicy(request)
        return await ask(mesh, *arguments)

    monkeypatch.setattr(Mesh, "convergence", delete_and_ask)
    response = await plane.admin.ListPolicies(admin_pb2.ListPoliciesRequest())
    assert [one.policy.metadata.name for one in response.policies] == ["cart"]


async def test_policies_are_listed_off_the_loop_that_serves_sidecars(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await apply(plane, policy("2s"))
    view, threads = views.policy_view, list[threading.Thread]()

    def noted(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return view(*arguments)

    monkeypatch.setattr(views, "policy_view", noted)
    await plane.admin.ListPolicies(admin_pb2.ListPoliciesRequest())
    assert threads
    assert threading.main_thread() not in threads


async def test_policy_of_a_file_is_read_only_and_says_where_to_change_it(plane: Plane) -> None:
    (plane.policies / "cart.yaml").write_text(policy("2s"))

    async def is_read() -> bool:
        return bool((await plane.admin.ListPolicies(admin_pb2.ListPoliciesRequest())).policies)

    await until(is_read)
    request = admin_pb2.DeletePolicyRequest(kind="ResiliencePolicy", namespace="shop", name="cart")
    code, words, details = await refused(plane.admin.DeletePolicy(request))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert f"{plane.policies / 'cart.yaml'}:1; delete it there" in words
    assert details["ErrorInfo"].reason == "READ_ONLY"
    response = await apply(plane, policy("3s"))
    assert [f"{plane.policies / 'cart.yaml'}:1" in one.message for one in response.problems] == [True]


async def test_unknown_object_names_the_next_command(plane: Plane) -> None:
    request = admin_pb2.GetPolicyRequest(kind="ResiliencePolicy", namespace="shop", name="nope")
    code, words, _ = await refused(plane.admin.GetPolicy(request))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "breakwater policy get" in words


async def test_effective_policy_names_the_origin_of_every_field(plane: Plane) -> None:
    await apply(plane, policy("2s"))
    request = admin_pb2.GetEffectivePolicyRequest(service=CART)
    response = await plane.admin.GetEffectivePolicy(request)
    shown = {
        origin.path: (value, origin.policy.name)
        for origin, value in zip(response.origins, response.values, strict=True)
    }
    assert shown["timeouts.request"] == ("2s", "cart")
    assert response.resilience.timeouts.request.seconds == 2
    assert response.service.endpoint_count == 1


async def test_attempts_that_cannot_fit_are_warned_about(plane: Plane) -> None:
    await apply(
        plane, policy("1s").replace("{request: 1s}", "{request: 1s, perTry: 600ms}\n  retry: {attempts: 1}")
    )
    response = await plane.admin.GetEffectivePolicy(admin_pb2.GetEffectivePolicyRequest(service=CART))
    [warning] = response.warnings
    assert (warning.path, warning.warning) == ("retry.attempts", True)
    assert "1s200ms" in warning.message


async def test_explanation_joins_the_caller_and_the_callee(plane: Plane) -> None:
    async with (
        light_sidecar(plane.sidecars, "web-0", services=["shop/web"]),
        light_sidecar(plane.sidecars, "cart-0", services=["shop/cart"]),
        attached(plane.sidecars, "web-0", explained),
        attached(plane.sidecars, "cart-0", explained),
    ):
        response = await plane.admin.Explain(FROM_WEB_TO_CART)
        assert [one.instance for one in response.hops] == ["web-0", "cart-0"]
        assert (response.forwarded, response.reason) == (False, "ratelimit.token")


async def test_explanation_without_any_sidecar_says_so(plane: Plane) -> None:
    code, words, _ = await refused(plane.admin.Explain(FROM_WEB_TO_CART))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "breakwater proxy-status" in words


async def test_breakers_are_listed_and_forced_in_every_caller(plane: Plane) -> None:
    order = sidecar_admin_pb2.ForceBreakerRequest(
        service=CART, state=telemetry_pb2.BREAKER_STATE_FORCED_OPEN, ttl=Duration(seconds=60)
    )
    async with (
        light_sidecar(plane.sidecars, "web-0", host("cart.shop")) as web,
        light_sidecar(plane.sidecars, "web-1", host("cart.shop")) as silent,
        attached(plane.sidecars, "web-0", breakers),
    ):
        await web.until(lambda one: OUTBOUND in one.held)
        await silent.until(lambda one: OUTBOUND in one.held)
        listed = await plane.admin.ListBreakers(admin_pb2.ListBreakersRequest(service=CART))
        assert [one.instance for one in listed.breakers] == ["web-0"]
        forced = await plane.admin.ForceBreakers(admin_pb2.ForceBreakersRequest(order=order))
        assert [one.breaker.state for one in forced.breakers] == [telemetry_pb2.BREAKER_STATE_FORCED_OPEN]
        assert list(forced.unreachable) == ["web-1"]


async def test_order_without_an_end_is_refused_by_field(plane: Plane) -> None:
    order = sidecar_admin_pb2.ForceBreakerRequest(service=CART, state=telemetry_pb2.BREAKER_STATE_FORCED_OPEN)
    code, _, details = await refused(plane.admin.ForceBreakers(admin_pb2.ForceBreakersRequest(order=order)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in details["BadRequest"].field_violations] == ["order.ttl"]


async def test_sidecar_that_does_not_answer_is_waited_for_briefly(plane: Plane) -> None:
    async with (
        light_sidecar(plane.sidecars, "web-0", services=["shop/web"]),
        attached(plane.sidecars, "web-0", lambda _: None),
    ):
        code, words, _ = await refused(plane.admin.Explain(FROM_WEB_TO_CART))
        assert code is grpc.StatusCode.NOT_FOUND
        assert "did not answer" in words


async def test_health_and_reflection_are_served_on_both_ports(plane: Plane) -> None:
    for address, service in (
        (plane.bound.listen, "mesh.v1.DiscoveryService"),
        (plane.bound.admin, "mesh.v1.AdminService"),
    ):
        async with grpc.aio.insecure_channel(str(address)) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            check: Any = health_pb2_grpc.HealthStub(channel)
            health = await check.Check(request)
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            question: Any = reflection_pb2.ServerReflectionRequest
            questions = iter([question(list_services="")])
            reflect: Any = reflection_pb2_grpc.ServerReflectionStub
            stream = reflect(channel).ServerReflectionInfo(questions)
            names = [one.name async for answer in stream for one in answer.list_services_response.service]
            assert service in names
