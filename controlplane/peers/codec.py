"""Messages of PeerService to and from the values inside."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controlplane.model.document import ObjectKey
from controlplane.model.health import EndpointPort, HealthShare, Votes
from controlplane.model.replica import ConvergenceShare, Standing
from controlplane.model.sidecar import PolicyConvergence, Refusal
from controlplane.model.traffic import Attempts, Counted, Question, Reporter, RowKey, TrafficShare
from controlplane.snapshot.codec import encode_service_name
from controlplane.wire.codec import (
    decode_key,
    decode_seconds,
    decode_service_name,
    encode_key,
    encode_seconds,
    encode_votes,
)
from mesh.v1 import peer_pb2 as pb
from registry.model import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a replica says unasked: new counts of live callers, who connected, seconds ago, and health."""

    callers: Mapping[ServiceName, int]
    arrivals: Mapping[str, float]
    health: Mapping[ServiceName, HealthShare] = field(default_factory=dict)


def encode_standing(standing: Standing) -> pb.GetShareResponse:
    """Where a replica stands."""
    message = pb.GetShareResponse(
        revision=standing.revision,
        complete=standing.is_complete,
        store_ready=standing.is_store_ready,
        connected_sidecars=standing.connected,
        converged_sidecars=standing.converged,
    )
    if standing.lead_seconds is not None:
        message.lead_age.CopyFrom(encode_seconds(standing.lead_seconds))
    return message


def decode_standing(message: pb.GetShareResponse) -> Standing:
    """Where a replica stands."""
    return Standing(
        revision=message.revision,
        is_complete=message.complete,
        is_store_ready=message.store_ready,
        connected=message.connected_sidecars,
        converged=message.converged_sidecars,
        lead_seconds=decode_seconds(message.lead_age) if message.HasField("lead_age") else None,
    )


def encode_news(news: News) -> pb.FollowResponse:
    """What changed."""
    return pb.FollowResponse(
        callers=[
            pb.ShareCallers(service=encode_service_name(service), live_callers=count)
            for service, count in news.callers.items()
        ],
        arrivals=[
            pb.Arrival(instance=instance, age=encode_seconds(age)) for instance, age in news.arrivals.items()
        ],
        health=[_encode_share(service, share) for service, share in news.health.items()],
    )


def decode_news(message: pb.FollowResponse) -> News:
    """What changed."""
    return News(
        callers={decode_service_name(one.service): one.live_callers for one in message.callers},
        arrivals={one.instance: decode_seconds(one.age) for one in message.arrivals},
        health={decode_service_name(one.service): _decode_share(one) for one in message.health},
    )


def _encode_share(service: ServiceName, share: HealthShare) -> pb.ShareHealth:
    return pb.ShareHealth(
        service=encode_service_name(service),
        checkers=sorted(share.checkers),
        votes=encode_votes(share.votes),
    )


def _decode_share(message: pb.ShareHealth) -> HealthShare:
    votes = {
        EndpointPort(one.endpoint, one.port): Votes(healthy=one.healthy, unhealthy=one.unhealthy)
        for one in message.votes
    }
    return HealthShare(checkers=frozenset(message.checkers), votes=votes)


def encode_convergence(share: ConvergenceShare) -> pb.ListShareConvergenceResponse:
    """How far sidecars are with policies."""
    return pb.ListShareConvergenceResponse(
        revision=share.revision,
        policies=[
            pb.ShareConvergence(
                policy=encode_key(key),
                targeted=one.targeted,
                applied=one.applied,
                rejected=one.rejected,
                refusals=[
                    pb.ShareRefusal(instance=each.instance, reason=each.reason) for each in one.refusals
                ],
            )
            for key, one in share.policies.items()
        ],
    )


def decode_convergence(message: pb.ListShareConvergenceResponse) -> ConvergenceShare:
    """How far sidecars are with policies."""
    policies = {
        decode_key(one.policy): PolicyConvergence(
            targeted=one.targeted,
            applied=one.applied,
            rejected=one.rejected,
            refusals=tuple(Refusal(instance=each.instance, reason=each.reason) for each in one.refusals),
        )
        for one in message.policies
    }
    return ConvergenceShare(revision=message.revision, policies=policies)


def find_key(request: pb.ListShareConvergenceRequest) -> ObjectKey | None:
    """The policy that is asked about, if it is only one."""
    return decode_key(request.policy) if request.HasField("policy") else None


def encode_question(question: Question) -> pb.ListShareTrafficRequest:
    """Whose traffic is asked for."""
    return pb.ListShareTrafficRequest(
        service=question.service,
        outbound=question.outbound,
        window_seconds=question.window_seconds,
        by_route=question.by_route,
    )


def decode_question(message: pb.ListShareTrafficRequest) -> Question:
    """Whose traffic is asked for."""
    return Question(
        service=message.service,
        outbound=message.outbound,
        window_seconds=message.window_seconds,
        by_route=message.by_route,
    )


def encode_traffic(share: TrafficShare) -> pb.ListShareTrafficResponse:
    """What sidecars counted."""
    return pb.ListShareTrafficResponse(
        bounds=share.bounds,
        traffic=map(_encode_counted, share.counted),
        reporters=map(_encode_reporter, share.reporters),
    )


def decode_traffic(message: pb.ListShareTrafficResponse) -> TrafficShare:
    """What sidecars counted."""
    return TrafficShare(
        bounds=tuple(message.bounds),
        counted=tuple(map(_decode_counted, message.traffic)),
        reporters=tuple(_decode_reporters(message.reporters)),
    )


def _encode_counted(counted: Counted) -> pb.ShareTraffic:
    return pb.ShareTraffic(
        service=counted.key.service,
        peer=counted.key.peer,
        route=counted.key.route,
        requests=counted.requests,
        failed=counted.failed,
        attempts=counted.attempts.total,
        succeeded=counted.attempts.succeeded,
        cancelled=counted.attempts.cancelled,
        buckets=counted.buckets,
        refused=counted.refused,
        in_flight=counted.in_flight,
    )


def _decode_counted(message: pb.ShareTraffic) -> Counted:
    return Counted(
        key=RowKey(message.service, message.peer, message.route),
        requests=message.requests,
        failed=message.failed,
        attempts=Attempts(total=message.attempts, succeeded=message.succeeded, cancelled=message.cancelled),
        buckets=tuple(message.buckets),
        refused=dict(message.refused),
        in_flight=dict(message.in_flight),
    )


def _encode_reporter(reporter: Reporter) -> pb.Reporter:
    message = pb.Reporter(instance=reporter.instance, age=encode_seconds(reporter.age_seconds))
    if reporter.known_seconds is not None:
        message.known_for.CopyFrom(encode_seconds(reporter.known_seconds))
    return message


def _decode_reporters(messages: Iterable[pb.Reporter]) -> Iterable[Reporter]:
    return (
        Reporter(
            instance=one.instance,
            age_seconds=decode_seconds(one.age),
            known_seconds=decode_seconds(one.known_for) if one.HasField("known_for") else None,
        )
        for one in messages
    )
