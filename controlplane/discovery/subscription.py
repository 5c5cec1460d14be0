"""What one sidecar asked for, was told, and applies: a machine without clock or socket, one per stream.

Theory of operation. The sidecar *asks* for resources; a HOST *brings* those behind it. For each wanted
resource the machine knows what the sidecar was last *told*: a version, or that there is none. A resource is
*due* when it may differ from that. `respond` turns what is due into one response and waits until the sidecar
received it; what changes meanwhile only grows the set of the due, so that the sidecar gets the newest version
and never a queue of old ones. A version that was told is not told again, not even after a rejection: only
another version is.

    asked, changed -> due -> respond -> awaited -> [RECEIVED -> unconfirmed ->] APPLIED -> applied | rejected

Only a sidecar that needs a while to apply says RECEIVED. An acknowledgement that names no unconfirmed
response is stale and changes nothing. APPLIED also confirms what was sent before it, since a stream keeps the
order. Resources go out in an order in which nothing points to what has not been sent: endpoints, outbound,
then the host that brings both.

While the registry is not settled after a restart, nothing that a sidecar *carried* over is taken away.

The state is changed in place: a copy of all that a sidecar wants would cost more than any step does, and
every change is a step of every sidecar.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from controlplane.discovery.exchange import Acknowledgement, Desired, Nonce, Response, Stage
from controlplane.model.resource import ResourceName, ResourceType, Version
from controlplane.model.sidecar import Rejection

MAX_WANTED = 16_384
"""Resources that one stream may want: more than any workload calls, and a bound on its memory."""

MAX_UNCONFIRMED = 8
"""Responses received and not yet applied, after which the sidecar is left to catch up."""

RESPONSE_BYTES = 1 << 20
"""The size past which a response ends and the next begins."""

RESOURCE_BYTES = 12 << 20
"""The largest resource that is sent: sidecars take 16 MiB at once, and more would end the stream."""

_ORDER = (
    ResourceType.MESH,
    ResourceType.WORKLOAD,
    ResourceType.INBOUND,
    ResourceType.ENDPOINTS,
    ResourceType.OUTBOUND,
    ResourceType.HOST,
)
_RANK = {kind: rank for rank, kind in enumerate(_ORDER)}


class Shift(NamedTuple):
    """Names that became wanted, and names that are wanted no longer."""

    wanted: frozenset[ResourceName] = frozenset()
    unwanted: frozenset[ResourceName] = frozenset()


_UNTOLD: Final = Version("")
_UNMOVED: Final = Shift()
_NOTHING: Final = frozenset[ResourceName]()


class Subscription:
    """Where one sidecar stands.

    `asked` maps what it asked for to all that it ever brought, if it is a HOST, so that what vanishes with it
    is removed with it. `applied` maps what is wanted, which is all of that, to the version that the sidecar
    applies, or to `None`. `told` maps a resource to the version last sent, or to `None` when
    it was said not to exist, unless that is what is applied. `carried` is what the sidecar held when it came,
    as far as it may yet be wanted or withheld. `pending` are the wanted ones of which something other than
    the newest version is applied. `unconfirmed` maps nonces to responses without their APPLIED, oldest first;
    `awaited` is the one among them of which nothing was said. `revision` is the newest at which nothing was
    pending. Sets are dictionaries without values here, which are a third of the size when they are empty.
    """

    __slots__ = (
        "applied",
        "asked",
        "awaited",
        "carried",
        "due",
        "pending",
        "rejected",
        "revision",
        "told",
        "unconfirmed",
    )

    def __init__(self, held: Mapping[ResourceName, Version], revision: int = 0) -> None:
        """The state of a new stream whose sidecar holds and applies `held`, all current at `revision`."""
        self.asked: dict[ResourceName, frozenset[ResourceName]] = {}
        self.applied: dict[ResourceName, Version | None] = {}
        self.told: dict[ResourceName, Version | None] = {}
        self.carried = dict(held)
        self.rejected: dict[ResourceName, Rejection] = {}
        self.pending: dict[ResourceName, None] = {}
        self.due: dict[ResourceName, None] = {}
        self.unconfirmed: dict[Nonce, Response] = {}
        self.awaited: Nonce | None = None
        self.revision = revision

    def subscribe(
        self, wanted: Iterable[ResourceName], unwanted: Iterable[ResourceName], desired: Desired
    ) -> Shift:
        """The sidecar wants `unwanted` no longer, and `wanted` from now on.

        Asking again for what does not exist is answered again; what is no longer wanted is forgotten, and
        sent whole when it is wanted again.
        """
        carried = 0 if self.applied else self.revision  # what it came with, until it wants something
        self._note_settled(carried or desired.revision)
        forgotten = self._unsubscribe(frozenset(unwanted))
        came: set[ResourceName] = set()
        for resource in wanted:
            self.asked.setdefault(resource, _NOTHING)
            if self.told.get(resource, _UNTOLD) is None:
                del self.told[resource]
            came.update(self._want(resource, desired), self._bring(resource, desired))
            self.due[resource] = None
        self.due.update(dict.fromkeys(came))
        return Shift(wanted=frozenset(came - forgotten), unwanted=frozenset(forgotten - came))

    def change(self, changed: Iterable[ResourceName], desired: Desired, previous_revision: int) -> Shift:
        """Each of `changed` has another version in `desired`, the successor of `previous_revision`.

        Nothing becomes due by it: `release` says when.
        """
        self._note_settled(previous_revision)
        came: list[ResourceName] = []
        for resource in changed:
            if resource in self.applied:
                came += self._bring(resource, desired)
                self._judge(resource, desired)
        return Shift(wanted=frozenset(came)) if came else _UNMOVED

    def release(self, resources: Iterable[ResourceName]) -> None:
        """Each of `resources`, as far as it is wanted, and all that it brought may be sent."""
        for resource in resources:
            if resource in self.applied:
                self.due[resource] = None
                self.due.update(dict.fromkeys(self.asked.get(resource, ())))

    def respond(self, desired: Desired, nonce: Nonce, limit_bytes: int = RESPONSE_BYTES) -> Response | None:
        """The response that sends what is due, if there is anything to send now.

        Past `limit_bytes` the rest stays due, removals last, so that nothing goes before what replaces it.
        """
        if self.awaited is not None or not self.due or len(self.unconfirmed) >= MAX_UNCONFIRMED:
            return None
        withheld = self._withheld(desired)
        news = self._news(withheld, desired)
        sent = _fill(news, desired, limit_bytes)
        gone = _gone(news) if len(sent) < len(news) else ()
        if len(sent) + len(gone) < len(news):
            gone = ()
            self.due = dict.fromkeys((news.keys() - sent.keys()) | withheld)
        else:
            self.due = dict.fromkeys(withheld)
        if not news:
            return None
        known = tuple(resource for resource in gone if self._told(resource) != _UNTOLD) if gone else ()
        self.told.update(sent)
        self.told.update(dict.fromkeys(gone))
        response = Response(
            nonce=nonce,
            revision=desired.revision if self._is_told_all(desired) else self.revision,
            resources=sent,
            removed=known,
            missing=tuple(resource for resource in gone if resource not in known) if gone else (),
        )
        if self.carried:
            self._uncarry(sent, desired)
        self.unconfirmed[nonce] = response
        self.awaited = nonce
        return response

    def acknowledge(self, ack: Acknowledgement, desired: Desired) -> None:
        """The sidecar said what became of a response."""
        response = self.unconfirmed.get(ack.nonce)
        if response is None:
            return
        for rejection in ack.rejections:
            if version := response.resources.get(rejection.resource):
                self.rejected[rejection.resource] = replace(rejection, version=version)
        if ack.stage is Stage.APPLIED:
            self._note_settled(desired.revision)
            for nonce in _until(self.unconfirmed, ack.nonce):
                self._confirm(self.unconfirmed.pop(nonce), desired)
            self._shrink()
        if self.awaited not in self.unconfirmed or self.awaited == ack.nonce:
            self.awaited = None

    def refusals(self, desired: Desired) -> tuple[Rejection, ...]:
        """What the sidecar refused and should still have, sorted by resource."""
        refused = (self.rejected[resource] for resource in sorted(self.pending.keys() & self.rejected.keys()))
        return tuple(one for one in refused if desired.find(one.resource) == one.version)

    def settled_revision(self, desired: Desired) -> int:
        """The newest revision at which the sidecar applies all that it wants."""
        return self.revision if self.pending else desired.revision

    def _note_settled(self, revision: int) -> None:
        """A sidecar of which nothing is pending has settled at `revision`."""
        if not self.pending:
            self.revision = revision

    def _want(self, resource: ResourceName, desired: Desired) -> tuple[ResourceName, ...]:
        """Want one resource; returns it if that is new."""
        if resource in self.applied:
            return ()
        self.applied[resource] = self.carried.get(resource)
        self._judge(resource, desired)
        return (resource,)

    def _bring(self, resource: ResourceName, desired: Desired) -> list[ResourceName]:
        """Want what an asked host brings now, and judge all that it ever brought; returns what is new."""
        if resource.type is not ResourceType.HOST or resource not in self.asked:
            return []
        behind, before = desired.behind(resource), self.asked[resource]
        self.asked[resource] = (before | behind) if before else behind
        for brought in before:
            self._judge(brought, desired)
        return [name for brought in behind for name in self._want(brought, desired)]

    def _unsubscribe(self, lost: frozenset[ResourceName]) -> set[ResourceName]:
        """Forget what is wanted no longer; returns it."""
        if not lost:
            return set()
        for resource in lost:
            self.asked.pop(resource, None)
        forgotten = self.applied.keys() - set(self.asked).union(*self.asked.values())
        for resource in forgotten:
            for memory in (self.applied, self.told, self.carried, self.rejected, self.pending, self.due):
                memory.pop(resource, None)
        self.unconfirmed = {nonce: _voided(one, forgotten) for nonce, one in self.unconfirmed.items()}
        return forgotten

    def _judge(self, resource: ResourceName, desired: Desired) -> None:
        """Tell anew whether a wanted resource is pending."""
        is_unconfirmed = bool(self.unconfirmed) and self._is_unconfirmed(resource)
        if is_unconfirmed or desired.find(resource) != self.applied[resource]:
            self.pending[resource] = None
        else:
            self.pending.pop(resource, None)

    def _is_unconfirmed(self, resource: ResourceName) -> bool:
        """Whether the sidecar may hold it already, or no longer, without having said so."""
        responses = self.unconfirmed.values()
        return any(resource in one.resources or resource in one.removed for one in responses)

    def _told(self, resource: ResourceName) -> Version | None:
        """What the sidecar was last told of a wanted resource."""
        if resource in self.told:
            return self.told[resource]
        return self.applied[resource] or _UNTOLD

    def _withheld(self, desired: Desired) -> frozenset[ResourceName]:
        """What it holds from before a restart, and might lose only because others are not back yet."""
        if desired.is_settled or not self.carried:
            return _NOTHING
        return frozenset(filter(desired.is_awaited, self.due.keys() & self.carried.keys()))

    def _uncarry(self, sent: Iterable[ResourceName], desired: Desired) -> None:
        """Drop from what was carried what was replaced, and all that can no longer be withheld."""
        for resource in self.applied.keys() if desired.is_settled else sent:
            self.carried.pop(resource, None)

    def _news(
        self, withheld: frozenset[ResourceName], desired: Desired
    ) -> dict[ResourceName, Version | None]:
        """What is due and differs from what was told, in the order to send it, but for what was refused.

        What is too large to be sent counts as refused.
        """
        news: dict[ResourceName, Version | None] = {}
        for resource in sorted(self.due, key=_place) if len(self.due) > 1 else self.due:
            version = desired.find(resource)
            if self._told(resource) != version and resource not in withheld:
                news[resource] = version
                if version and (found := desired.size_bytes(resource)) > RESOURCE_BYTES:
                    self.rejected[resource] = _too_large(resource, version, found)
        if self.rejected:
            return {one: version for one, version in news.items() if not self._is_refused(one, version)}
        return news

    def _is_refused(self, resource: ResourceName, version: Version | None) -> bool:
        rejection = self.rejected.get(resource)
        return rejection is not None and rejection.version == version

    def _is_told_all(self, desired: Desired) -> bool:
        for resource in self.pending:  # noqa: SIM110 (all() is twice as slow, and this is said with every push)
            if self._told(resource) != desired.find(resource):
                return False
        return True

    def _confirm(self, response: Response, desired: Desired) -> None:
        """The sidecar applies what the response said, but for what it refused."""
        for resource, version in response.resources.items():
            is_refused = self._is_refused(resource, version)
            if self.told.get(resource) == version:
                del self.told[resource]
            if resource in self.applied:
                if version != _UNTOLD and not is_refused:
                    self.applied[resource] = version
                    self.rejected.pop(resource, None)
                self._judge(resource, desired)
        for resource in response.removed:
            self.rejected.pop(resource, None)
            if resource in self.applied:
                self.applied[resource] = None
                self._judge(resource, desired)

    def _shrink(self) -> None:
        """Give back the room that the first responses took; what is emptied keeps it."""
        for memory in ("pending", "told", "unconfirmed"):
            if not getattr(self, memory):
                setattr(self, memory, {})


def _too_large(resource: ResourceName, version: Version, found: int) -> Rejection:
    """What a sidecar would say to a resource that it cannot be sent."""
    reason = f"expected at most {RESOURCE_BYTES} bytes, found {found}"
    return Rejection(resource=resource, version=version, field_path="", reason=reason)


def _voided(response: Response, forgotten: set[ResourceName]) -> Response:
    """A response whose acknowledgement leaves open which version is applied of what was forgotten since."""
    versions = {
        name: _UNTOLD if name in forgotten else version for name, version in response.resources.items()
    }
    return replace(response, resources=versions)


def _place(resource: ResourceName) -> tuple[int, str]:
    """Where a resource stands in the order of sending."""
    return _RANK[resource.type], resource.name


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


def _gone(news: Mapping[ResourceName, Version | None]) -> tuple[ResourceName, ...]:
    """What among `news` does not exist any more, what points to others first."""
    return tuple(resource for resource in reversed(tuple(news)) if news[resource] is None)


def _until(responses: Iterable[Nonce], last: Nonce) -> Iterator[Nonce]:
    """The nonces up to `last`."""
    for nonce in tuple(responses):
        yield nonce
        if nonce == last:
            return
