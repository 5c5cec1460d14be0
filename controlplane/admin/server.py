"""AdminService: answers about the whole mesh, and changes of its policies."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, starmap
from typing import Any

import grpc.aio

from controlplane.admin import codec, orders, views
from controlplane.admin.client import BREAKERS, ENDPOINTS, HOSTS, LIMITS, ROUTES, Sidecars
from controlplane.admin.history import codec as history_codec
from controlplane.admin.history.policies import PolicyHistory
from controlplane.admin.parts import About, Fleet, Mesh
from controlplane.errors import NotFoundError
from controlplane.model.document import ObjectKey, Problem
from controlplane.model.replica import Answer, Placed, ReplicaId
from controlplane.model.resource import Resolution, ResourceName, ResourceType
from controlplane.model.sidecar import PolicyConvergence, SidecarState
from controlplane.model.traffic import Question
from controlplane.snapshot.build import Snapshot
from controlplane.snapshot.inputs import Inputs
from controlplane.snapshot.services import KnownService
from controlplane.wire.codec import decode_breaker_state, decode_seconds, encode_event
from mesh.v1 import admin_pb2 as pb
from mesh.v1 import registry_pb2, sidecar_admin_pb2
from mesh.v1.admin_pb2_grpc import AdminServiceServicer, add_AdminServiceServicer_to_server
from registry.codec import encode_endpoint, encode_service
from registry.live import LiveCatalog
from registry.model import Revision, ServiceName
from registry.server import watch

_TRIES = 3
"""Sidecars that are asked in turn until one answers."""

_Context = grpc.aio.ServicerContext[Any, Any]


class AdminServer(AdminServiceServicer):
    """Asks the parts, and says what they know."""

    def __init__(
        self,
        about: About,
        fleet: Fleet,
        history: PolicyHistory,
        mesh: Mesh,
        live: LiveCatalog,
    ) -> None:
        self._about = about
        self._fleet = fleet
        self._policies = history.policies
        self._history = history
        self._mesh = mesh
        self._live = live
        self._sidecars = Sidecars(mesh)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves AdminService."""
        add_AdminServiceServicer_to_server(self, server)

    async def GetStatus(self, request: pb.GetStatusRequest, context: _Context) -> pb.GetStatusResponse:
        """State of the control plane, with all its replicas and their sidecars."""
        del request, context
        answer = await self._mesh.standings()
        standings = [standing for _, standing in answer.value if standing]
        revision = max(one.revision for one in standings)
        status = pb.GetStatusResponse(
            version=self._about.version,
            revision=revision,
            store=self._about.store,
            store_ready=self._about.is_store_ready(),
            connected_sidecars=sum(one.connected for one in standings),
            converged_sidecars=sum(one.converged for one in standings if one.revision == revision),
            sources=map(self._source, self._about.sources),
            replicas=starmap(codec.encode_replica, answer.value),
            leader=codec.encode_leader(self._about.leader(), answer.value),
            unanswered=answer.unanswered,
        )
        status.started_at.FromDatetime(self._about.started_at)
        return status

    async def ListMeshServices(
        self, request: pb.ListMeshServicesRequest, context: _Context
    ) -> pb.ListMeshServicesResponse:
        """Services with their contracts, registered ones and those that documents describe."""
        del context
        names = {name for name in self._inputs.names() if request.namespace in {"", name.namespace}}
        services = [self._service(self._known(name)) for name in sorted(names)]
        return pb.ListMeshServicesResponse(services=services)

    async def ListMeshEndpoints(
        self, request: pb.ListMeshEndpointsRequest, context: _Context
    ) -> pb.ListMeshEndpointsResponse:
        """Endpoints of one service, and where its host names lead for those who call it."""
        del context
        known = self._known(codec.decode_service(request.service))
        response = pb.ListMeshEndpointsResponse(
            endpoints=map(encode_endpoint, known.endpoints), leases=self._leases(known.name)
        )
        if known.resolution is Resolution.DNS:
            asked = await self._asked(known.name, ResourceType.OUTBOUND)
            response.hosts.extend(await self._sidecars.ask(HOSTS, asked.value, request.service))
            response.unanswered.extend(asked.unanswered)
        return response

    async def WatchMeshServices(
        self, request: pb.WatchMeshServicesRequest, context: _Context
    ) -> AsyncIterator[pb.WatchMeshServicesResponse]:
        """Every service that changes, whole."""
        del context
        asked = request.watch
        async for change in watch(self._live, asked.namespace, Revision(asked.after_revision)):
            yield pb.WatchMeshServicesResponse(change=change)

    async def ListSidecars(
        self, request: pb.ListSidecarsRequest, context: _Context
    ) -> pb.ListSidecarsResponse:
        """Sidecars with their convergence; with an instance, only that one and its resources."""
        del context
        answer = await self._mesh.sidecars(request.namespace, request.instance)
        with_resources = bool(request.instance)
        return pb.ListSidecarsResponse(
            sidecars=[codec.encode_placed(one, with_resources=with_resources) for one in answer.value],
            unanswered=answer.unanswered,
        )

    async def ListPolicies(
        self, request: pb.ListPoliciesRequest, context: _Context
    ) -> pb.ListPoliciesResponse:
        """Policies with their state."""
        del context
        kind = self._policies.key(request.kind, "", "").kind if request.kind else ""
        snapshot = self._fleet.snapshot
        keys = sorted(
            key
            for key in snapshot.inputs.documents
            if kind in {"", key.kind} and request.namespace in {"", key.namespace}
        )
        answer = await self._mesh.convergence(self._policies.revision_of)
        # Half a millisecond for each, off the loop that serves sidecars.
        policies = await asyncio.to_thread(self._statuses, snapshot, keys, answer.value)
        return pb.ListPoliciesResponse(policies=policies, unanswered=answer.unanswered)

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: _Context) -> pb.GetPolicyResponse:
        """One policy with its state."""
        del context
        key = self._policies.key(request.kind, request.namespace, request.name)
        snapshot = self._fleet.snapshot
        if key not in snapshot.inputs.documents:
            raise NotFoundError(f"expected {key}, found no such object; `breakwater policy get` lists all")
        answer = await self._mesh.convergence(self._policies.revision_of, key)
        (policy,) = self._statuses(snapshot, [key], answer.value)
        return pb.GetPolicyResponse(policy=policy, unanswered=answer.unanswered)

    async def ApplyPolicies(
        self, request: pb.ApplyPoliciesRequest, context: _Context
    ) -> pb.ApplyPoliciesResponse:
        """Keeps documents; all of them, or none when any has a problem."""
        del context
        checked = await self._policies.check(codec.decode_manifests(request.manifests))
        if not checked.is_valid:
            return pb.ApplyPoliciesResponse(problems=map(codec.encode_problem, checked.problems))
        kept = await self._policies.apply(checked.documents, request.author)
        return codec.encode_kept(kept, checked.problems)

    async def DeletePolicy(
        self, request: pb.DeletePolicyRequest, context: _Context
    ) -> pb.DeletePolicyResponse:
        """Removes one policy that was applied here."""
        del context
        key = self._policies.key(request.kind, request.namespace, request.name)
        return pb.DeletePolicyResponse(revision=await self._policies.delete(key, request.author))

    async def ValidatePolicies(
        self, request: pb.ValidatePoliciesRequest, context: _Context
    ) -> pb.ValidatePoliciesResponse:
        """Checks documents as ApplyPolicies would, and keeps nothing."""
        del context
        checked = await self._policies.check(codec.decode_manifests(request.manifests))
        return pb.ValidatePoliciesResponse(
            problems=map(codec.encode_problem, checked.problems), documents=len(checked.documents)
        )

    async def Analyze(self, request: pb.AnalyzeRequest, context: _Context) -> pb.AnalyzeResponse:
        """What is wrong or worth a look in policies, services and sidecars, as they are now."""
        del request, context
        answer = await self._mesh.sidecars()
        connected = tuple(
            placed.attached.status.hello
            for placed in answer.value
            if placed.attached.status.state is not SidecarState.OFFLINE
        )
        problems = await self._policies.analyze(connected, self._about.version)
        return pb.AnalyzeResponse(problems=map(codec.encode_problem, problems), unanswered=answer.unanswered)

    async def ListRevisions(
        self, request: pb.ListRevisionsRequest, context: _Context
    ) -> pb.ListRevisionsResponse:
        """Revisions of the policy set, newest first, with what each changed."""
        del context
        revisions = self._history.revisions(request.limit)
        return pb.ListRevisionsResponse(revisions=map(history_codec.encode_summary, revisions))

    async def DiffPolicies(
        self, request: pb.DiffPoliciesRequest, context: _Context
    ) -> pb.DiffPoliciesResponse:
        """What changed between two revisions, or what applying documents would change."""
        del context
        if not request.manifests:
            difference = await self._history.between(getattr(request, "from"), request.to)
            return history_codec.encode_difference(difference)
        checked = await self._policies.check(codec.decode_manifests(request.manifests))
        changes = self._history.proposed(checked.documents) if checked.is_valid else ()
        return pb.DiffPoliciesResponse(
            changes=map(history_codec.encode_change, changes),
            problems=map(codec.encode_problem, checked.problems),
        )

    async def RollBackPolicies(
        self, request: pb.RollBackPoliciesRequest, context: _Context
    ) -> pb.RollBackPoliciesResponse:
        """Makes what was applied here what it was at a revision."""
        del context
        rolled_back = await self._history.roll_back(
            request.revision, request.author, is_dry_run=request.dry_run
        )
        return history_codec.encode_rolled_back(rolled_back)

    async def GetEffectivePolicy(
        self, request: pb.GetEffectivePolicyRequest, context: _Context
    ) -> pb.GetEffectivePolicyResponse:
        """Effective settings of one service, with the origin of every field."""
        del context
        known = self._known(codec.decode_service(request.service))
        caller = codec.decode_caller(request.caller)
        effective = views.effective(self._fleet.snapshot, known.name, caller, self._about.schema)
        response = codec.encode_effective(effective)
        response.service.CopyFrom(self._service(known))
        enforcers = await self._mesh.readers(ResourceName(ResourceType.INBOUND, str(known.name)))
        response.enforcers = len(enforcers.value)
        response.unanswered.extend(enforcers.unanswered)
        return response

    async def Explain(self, request: pb.ExplainRequest, context: _Context) -> pb.ExplainResponse:
        """What would happen to a request: asks a sidecar of the caller, then one of the callee."""
        del context
        caller = codec.decode_service(getattr(request, "from"))
        callee = codec.decode_service(request.to)
        sidecars = await self._mesh.sidecars()
        response = pb.ExplainResponse(unanswered=sidecars.unanswered)
        for service, direction in (
            (caller, sidecar_admin_pb2.DIRECTION_OUTBOUND),
            (callee, sidecar_admin_pb2.DIRECTION_INBOUND),
        ):
            question = codec.encode_question(request, direction)
            if not await self._ask(views.members(sidecars.value, service), service, question, response):
                break
        if not response.hops:
            raise NotFoundError("; ".join(response.notes))
        return response

    async def ListBreakers(
        self, request: pb.ListBreakersRequest, context: _Context
    ) -> pb.ListBreakersResponse:
        """Breakers of the sidecars that answer."""
        del context
        service = codec.find_service(request.service)
        asked = await self._asked(service, ResourceType.OUTBOUND)
        breakers = await self._sidecars.ask(BREAKERS, asked.value, request.service if service else None)
        return pb.ListBreakersResponse(breakers=breakers, unanswered=asked.unanswered)

    async def ListCalledEndpoints(
        self, request: pb.ListCalledEndpointsRequest, context: _Context
    ) -> pb.ListCalledEndpointsResponse:
        """Endpoints as the sidecars see them that answer."""
        del context
        service = codec.find_service(request.service)
        asked = await self._asked(service, ResourceType.OUTBOUND)
        where = _only(asked.value, request.instance)
        endpoints = await self._sidecars.ask(ENDPOINTS, where, request.service if service else None)
        return pb.ListCalledEndpointsResponse(endpoints=endpoints, unanswered=asked.unanswered)

    async def ListAppliedRoutes(
        self, request: pb.ListAppliedRoutesRequest, context: _Context
    ) -> pb.ListAppliedRoutesResponse:
        """Rules of routes as they are in force in the sidecars that answer."""
        del context
        service = codec.find_service(request.service)
        asked = await self._asked(service, ResourceType.INBOUND, ResourceType.OUTBOUND)
        where = _only(asked.value, request.instance)
        routes = await self._sidecars.ask(ROUTES, where, request.service if service else None)
        return pb.ListAppliedRoutesResponse(routes=routes, unanswered=asked.unanswered)

    async def ListLimits(self, request: pb.ListLimitsRequest, context: _Context) -> pb.ListLimitsResponse:
        """Limits of the sidecars that answer."""
        del context
        service = codec.find_service(request.service)
        asked = await self._asked(service, ResourceType.INBOUND, ResourceType.OUTBOUND)
        limits = await self._sidecars.ask(LIMITS, asked.value, request.service if service else None)
        return pb.ListLimitsResponse(limits=limits, unanswered=asked.unanswered)

    async def ForceBreakers(
        self, request: pb.ForceBreakersRequest, context: _Context
    ) -> pb.ForceBreakersResponse:
        """Forces a breaker in every sidecar that calls a service."""
        del context
        order = request.order
        service = codec.decode_service(order.service)
        orders.check_order(decode_breaker_state(order.state), decode_seconds(order.ttl))
        asked = await self._asked(service, ResourceType.OUTBOUND)
        if not asked.value:
            raise NotFoundError(f"no connected sidecar calls {service}; see `breakwater breakers`")
        response = await self._sidecars.force(asked.value, order)
        response.unanswered.extend(asked.unanswered)
        return response

    async def ListTraffic(self, request: pb.ListTrafficRequest, context: _Context) -> pb.ListTrafficResponse:
        """Traffic of services, merged over sidecars."""
        del context
        service = codec.find_service(request.service)
        question = Question(
            service=str(service or ""),
            outbound=request.outbound,
            window_seconds=orders.window_seconds(decode_seconds(request.window)),
            by_route=request.by_route,
        )
        answer = await self._mesh.traffic(question)
        return pb.ListTrafficResponse(
            traffic=map(codec.encode_traffic, answer.value), unanswered=answer.unanswered
        )

    async def ListEvents(self, request: pb.ListEventsRequest, context: _Context) -> pb.ListEventsResponse:
        """What happened of late, oldest first."""
        del context
        service = codec.find_service(request.service)
        answer = await self._mesh.events(service, orders.event_limit(request.limit))
        return pb.ListEventsResponse(events=map(encode_event, answer.value), unanswered=answer.unanswered)

    @property
    def _inputs(self) -> Inputs:
        return self._fleet.snapshot.inputs

    def _known(self, name: ServiceName) -> KnownService:
        known = self._inputs.find_service(name)
        if known is None:
            raise NotFoundError(
                f"expected a service {name}, found none; `breakwater proxy-status` shows who belongs to what"
            )
        return known

    def _service(self, known: KnownService) -> registry_pb2.Service:
        registered = self._inputs.services.get(known.name)
        if registered is None:
            return codec.encode_external(known)
        return encode_service(registered, with_endpoints=False)

    def _leases(self, name: ServiceName) -> Iterator[pb.EndpointLease]:
        service = self._live.catalog.services.get(name)
        return map(codec.encode_lease, service.registered.values()) if service else iter(())

    def _source(self, name: str) -> pb.SourceStatus:
        desired = self._policies.desired
        problems = map(codec.encode_problem, desired.problems_of(name))
        return pb.SourceStatus(name=name, documents=desired.count(name), problems=problems)

    def _statuses(
        self,
        snapshot: Snapshot,
        keys: Iterable[ObjectKey],
        convergence: Mapping[ObjectKey, PolicyConvergence],
    ) -> list[pb.PolicyStatus]:
        """The state of each of some documents of a snapshot."""
        newer: dict[str, list[Problem]] = {}
        for problem in chain.from_iterable(self._policies.desired.problems.values()):
            newer.setdefault(problem.object, []).append(problem)
        found = []
        for key in keys:
            revision = self._policies.revision_of(key)
            view = views.policy_view(
                snapshot,
                snapshot.inputs.documents[key],
                newer.get(str(key), ()),
                convergence.get(key, PolicyConvergence()),
                revision,
            )
            found.append(codec.encode_policy_status(view, self._about.schema, revision))
        return found

    async def _asked(
        self, service: ServiceName | None, *types: ResourceType
    ) -> Answer[Mapping[str, ReplicaId]]:
        """The sidecars to ask about a service, or about all."""
        resources = [ResourceName(kind, str(service)) for kind in types] if service else []
        return await self._mesh.readers(*resources)

    async def _ask(
        self,
        members: Sequence[Placed],
        service: ServiceName,
        question: sidecar_admin_pb2.ExplainRequestRequest,
        response: pb.ExplainResponse,
    ) -> bool:
        """Adds what one of a service's sidecars says to `response`; returns whether the request goes on."""
        for member in members[:_TRIES]:
            hop, error = await self._sidecars.explain(member, question)
            if hop is None:
                response.notes.append(error)
                continue
            response.hops.append(hop)
            response.forwarded, response.reason = hop.answer.forwarded, hop.answer.reason
            return hop.answer.forwarded
        response.notes.append(f"no sidecar of {service} answers; see `breakwater proxy-status`")
        return True


def _only(where: Mapping[str, ReplicaId], instance: str) -> Mapping[str, ReplicaId]:
    """The sidecar of that name among these, or all where none is named."""
    return {one: at for one, at in where.items() if instance in {"", one}}
