"""What one sidecar asked for, was told, and applies: a pure machine, one value per stream.

Theory of operation. The sidecar *asks* for resources; a HOST *brings* those behind it. For each wanted
resource the machine knows what the sidecar was last *told*: a version, or that there is none. A resource is
*due* when it may differ from that. `respond` turns what is due into one response and waits until the sidecar
received it; what changes meanwhile only grows the set of the due, so that the sidecar gets the newest version
and never a queue of old ones. A version that was told is not told again, not even after a rejection: only
another version is.

    asked, changed -> due -> respond -> awaited -> RECEIVED -> unconfirmed -> APPLIED -> applied | rejected

An acknowledgement that names no unconfirmed response is stale and changes nothing. APPLIED also confirms what
was sent before it, since a stream keeps the order. Resources go out in an order in which nothing points to
what has not been sent: endpoints, outbound, then the host that brings both.

While the registry is not settled after a restart, nothing that a sidecar *carried* over is taken away.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from typing import Final, NewType, Protocol, TypeVar

from controlplane.model.resource import ResourceName, ResourceType, Version
from controlplane.model.sidecar import Rejection

Nonce = NewType("Nonce", str)
_K = TypeVar("_K")
_V = TypeVar("_V")

MAX_WANTED = 16_384
"""Resources that one stream may want: more than any workload calls, and a bound on its memory."""

MAX_UNCONFIRMED = 8
"""Responses received and not yet applied, after which the sidecar is left to catch up."""

RESPONSE_BYTES = 1 << 20
"""The size past which a response ends and the next begins."""

_ORDER = (
    ResourceType.MESH,
    ResourceType.INBOUND,
    ResourceType.ENDPOINTS,
    ResourceType.OUTBOUND,
    ResourceType.HOST,
)
_RANK = {kind: rank for rank, kind in enumerate(_ORDER)}


class Desired(Protocol):
    """The newest snapshot, as far as the machine looks at it."""

    @property
    def revision(self) -> int:
        """Revision of the policy set."""
        ...

    @property
    def is_settled(self) -> bool:
        """Whether what is absent is gone, rather than on the way back after a restart."""
        ...

    def find(self, resource: ResourceName) -> Version | None:
        """The version that every reader should have, or `None` when there is no such resource."""
        ...

    def behind(self, resource: ResourceName) -> Iterable[ResourceName]:
        """What a HOST brings with it; nothing for every other kind, and nothing when it does not exist."""
        ...

    def size_bytes(self, resource: ResourceName) -> int:
        """The size of the encoding of a resource that exists."""
        ...


class Stage(Enum):
    """How far a response got."""

    RECEIVED = "received"
    APPLIED = "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What became of a response: all of it reached `stage`, but for the rejections."""

    nonce: Nonce
    stage: Stage
    rejections: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One message: resources in the order to send them, what is gone, and what does not exist.

    All that is wanted is current at `revision` once this is applied.
    """

    nonce: Nonce
    revision: int
    resources: Mapping[ResourceName, Version]
    removed: tuple[ResourceName, ...]
    missing: tuple[ResourceName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where one sidecar stands.

    `brought` maps each asked HOST to all that it ever brought, so that what vanishes with it is removed with
    it; `wanted` is that and what was asked. `told` maps a resource to the version last sent or held, or to
    `None` when it was said not to exist. `pending` are the wanted ones of which something other than the
    newest version is applied. `unconfirmed` maps nonces to responses without their APPLIED, oldest first;
    `awaited` is the one among them without its RECEIVED. `revision` is the newest at which nothing was
    pending.
    """

    asked: frozenset[ResourceName] = frozenset()
    brought: Mapping[ResourceName, frozenset[ResourceName]] = field(default_factory=dict)
    wanted: frozenset[ResourceName] = frozenset()
    told: Mapping[ResourceName, Version | None] = field(default_factory=dict)
    carried: frozenset[ResourceName] = frozenset()
    applied: Mapping[ResourceName, Version] = field(default_factory=dict)
    rejected: Mapping[ResourceName, Rejection] = field(default_factory=dict)
    pending: frozenset[ResourceName] = frozenset()
    due: frozenset[ResourceName] = frozenset()
    unconfirmed: Mapping[Nonce, Response] = field(default_factory=dict)
    awaited: Nonce | None = None
    revision: int = 0


_UNTOLD: Final = Version("")


def begin(held: Mapping[ResourceName, Version], revision: int = 0) -> Subscription:
    """The state of a new stream whose sidecar holds and applies `held`, all of it current at `revision`."""
    return Subscription(told=dict(held), applied=dict(held), carried=frozenset(held), revision=revision)


def subscribe(
    state: Subscription, wanted: Iterable[ResourceName], unwanted: Iterable[ResourceName], desired: Desired
) -> Subscription:
    """The state once the sidecar wants `wanted` too, and `unwanted` no longer.

    Asking again for what does not exist is answered again; what is no longer wanted is forgotten, and sent
    whole when it is wanted again.
    """
    asked, lost = frozenset(wanted), frozenset(unwanted)
    kept = replace(state, asked=(state.asked - lost) | asked, brought=_without(state.brought, lost))
    after = _bring(kept, asked, desired)
    forgotten = (state.wanted | lost) - after.wanted
    absent = {resource for resource in asked if state.told.get(resource, _UNTOLD) is None}
    after = replace(
        after,
        told=_without(state.told, forgotten | absent),
        applied=_without(state.applied, forgotten),
        rejected=_without(state.rejected, forgotten),
        due=(state.due | asked | (after.wanted - state.wanted)) & after.wanted,
    )
    carried = 0 if state.wanted else state.revision  # what it came with, until it wants something
    return _settle(after, after.wanted - state.wanted, desired, carried or desired.revision)


def change(
    state: Subscription, changed: Iterable[ResourceName], desired: Desired, previous_revision: int
) -> Subscription:
    """The state once `changed` have other versions in `desired`, the successor of `previous_revision`.

    Nothing becomes due by it: `release` says when.
    """
    changed = frozenset(changed)
    return _settle(_bring(state, changed, desired), changed, desired, previous_revision)


def release(state: Subscription, resources: Iterable[ResourceName]) -> Subscription:
    """The state in which `resources`, as far as they are wanted, and all that they brought may be sent."""
    wanted = state.wanted.intersection(resources)
    return replace(state, due=state.due | _with_brought(state, wanted))


def respond(
    state: Subscription, desired: Desired, nonce: Nonce, limit_bytes: int = RESPONSE_BYTES
) -> tuple[Subscription, Response | None]:
    """The state once what is due is sent, and the response that sends it, if there is one.

    Past `limit_bytes` the rest stays due, removals last, so that nothing goes before what replaces it.
    """
    if state.awaited is not None or len(state.unconfirmed) >= MAX_UNCONFIRMED:
        return state, None
    withheld = frozenset() if desired.is_settled else _withheld(state, desired)
    news = _news(state, withheld, desired)
    sent = _fill(news, desired, limit_bytes)
    gone = _gone(news) if len(sent) + len(_gone(news)) == len(news) else ()
    if not sent and not gone:
        return replace(state, due=withheld), None
    told = {**state.told, **sent, **dict.fromkeys(gone)}
    response = Response(
        nonce=nonce,
        revision=desired.revision if _is_current(state, told, desired) else state.revision,
        resources=sent,
        removed=tuple(resource for resource in gone if resource in state.told),
        missing=tuple(resource for resource in gone if resource not in state.told),
    )
    state = replace(
        state,
        told=told,
        carried=state.carried - sent.keys(),
        due=withheld | (news.keys() - sent.keys() - set(gone)),
        unconfirmed={**state.unconfirmed, nonce: response},
        awaited=nonce,
    )
    return state, response


def acknowledge(state: Subscription, ack: Acknowledgement, desired: Desired) -> Subscription:
    """The state once the sidecar said what became of a response."""
    response = state.unconfirmed.get(ack.nonce)
    if response is None:
        return state
    refused = {
        rejection.resource: replace(rejection, version=response.resources[rejection.resource])
        for rejection in ack.rejections
        if rejection.resource in response.resources
    }
    state = replace(state, rejected={**state.rejected, **refused})
    if ack.stage is Stage.RECEIVED:
        return replace(state, awaited=None if state.awaited == ack.nonce else state.awaited)
    nonces = list(state.unconfirmed)
    for nonce in nonces[: nonces.index(ack.nonce) + 1]:
        state = _confirm(state, nonce)
    return _settle(state, state.pending, desired, desired.revision)


def refusals(state: Subscription, desired: Desired) -> tuple[Rejection, ...]:
    """What the sidecar refused and should still have, sorted by resource."""
    refused = (state.rejected[resource] for resource in sorted(state.pending & state.rejected.keys()))
    return tuple(rejection for rejection in refused if desired.find(rejection.resource) == rejection.version)


def settled_revision(state: Subscription, desired: Desired) -> int:
    """The newest revision at which the sidecar applies all that it wants."""
    return state.revision if state.pending else desired.revision


def _bring(state: Subscription, changed: frozenset[ResourceName], desired: Desired) -> Subscription:
    """Add what the asked hosts among `changed` bring now."""
    brought = dict(state.brought)
    for host in state.asked & changed:
        if behind := frozenset(desired.behind(host)):
            brought[host] = brought.get(host, frozenset()) | behind
    return replace(state, brought=brought, wanted=state.asked.union(*brought.values()))


def _settle(
    state: Subscription, resources: frozenset[ResourceName], desired: Desired, settled_revision: int
) -> Subscription:
    """Judge anew which of `resources` are pending; a sidecar with none had settled at `settled_revision`."""
    looked_at = _with_brought(state, state.wanted & resources)
    behind = {resource for resource in looked_at if desired.find(resource) != state.applied.get(resource)}
    pending = behind | (looked_at & _unconfirmed(state))
    return replace(
        state,
        pending=((state.pending & state.wanted) - looked_at) | pending,
        revision=state.revision if state.pending else settled_revision,
    )


def _with_brought(state: Subscription, resources: frozenset[ResourceName]) -> frozenset[ResourceName]:
    return resources.union(*(state.brought[host] for host in resources if host in state.brought))


def _withheld(state: Subscription, desired: Desired) -> frozenset[ResourceName]:
    """What the sidecar holds from before a restart, and might lose only because others are not back yet."""
    held = state.due & state.carried
    return frozenset(r for r in held if r.type is ResourceType.ENDPOINTS or desired.find(r) is None)


def _news(
    state: Subscription, withheld: frozenset[ResourceName], desired: Desired
) -> dict[ResourceName, Version | None]:
    """What is due and differs from what was told, in the order to send it; a refused version is no news."""
    due = sorted(state.due - withheld, key=lambda resource: (_RANK[resource.type], resource.name))
    found = {resource: desired.find(resource) for resource in due}
    return {
        resource: version
        for resource, version in found.items()
        if state.told.get(resource, _UNTOLD) != version and not _is_refused(state, resource, version)
    }


def _fill(
    news: Mapping[ResourceName, Version | None], desired: Desired, limit_bytes: int
) -> dict[ResourceName, Version]:
    """The first resources among `news` that fit into one response; always one, if there is any."""
    sent: dict[ResourceName, Version] = {}
    size = 0
    for resource, version in news.items():
        if version is None:
            continue
        size += desired.size_bytes(resource)
        if sent and size > limit_bytes:
            break
        sent[resource] = version
    return sent


def _gone(news: dict[ResourceName, Version | None]) -> tuple[ResourceName, ...]:
    """What does not exist, a host before what it brought."""
    return tuple(resource for resource in reversed(news) if news[resource] is None)


def _is_current(state: Subscription, told: Mapping[ResourceName, Version | None], desired: Desired) -> bool:
    return all(told.get(resource) == desired.find(resource) for resource in state.pending)


def _confirm(state: Subscription, nonce: Nonce) -> Subscription:
    """The state once the sidecar applies what the response said, but for what it refused."""
    response = state.unconfirmed[nonce]
    refused = {r for r, version in response.resources.items() if _is_refused(state, r, version)}
    serving = {
        r: version for r, version in response.resources.items() if r in state.wanted and r not in refused
    }
    return replace(
        state,
        told=_retold(state, {r for r in refused if state.told.get(r) == response.resources[r]}),
        applied={**_without(state.applied, response.removed), **serving},
        rejected=_without(state.rejected, {*serving, *response.removed}),
        unconfirmed=_without(state.unconfirmed, (nonce,)),
        awaited=None if state.awaited == nonce else state.awaited,
    )


def _retold(state: Subscription, refused: set[ResourceName]) -> Mapping[ResourceName, Version | None]:
    """What was told, with the version kept in place of each that was refused."""
    kept = {resource: state.applied[resource] for resource in refused if resource in state.applied}
    return {**_without(state.told, refused), **kept}


def _unconfirmed(state: Subscription) -> frozenset[ResourceName]:
    """What the sidecar may hold already, or no longer, without having said so."""
    responses = state.unconfirmed.values()
    return frozenset(chain.from_iterable((*response.resources, *response.removed) for response in responses))


def _is_refused(state: Subscription, resource: ResourceName, version: Version | None) -> bool:
    rejection = state.rejected.get(resource)
    return rejection is not None and rejection.version == version


def _without(mapping: Mapping[_K, _V], keys: Collection[_K]) -> Mapping[_K, _V]:
    return {key: value for key, value in mapping.items() if key not in keys} if keys else mapping
