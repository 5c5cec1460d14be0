"""All sidecars: who wants what, who gets it when, and where each stands.

One event loop owns a fleet. A change is noted in every stream that it concerns, and what the debounce
releases makes their writers look for what is due. Both go in slices, so that no number of streams blocks the
loop. Sidecars that left are remembered for a while, for people to see that they are gone.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from controlplane.discovery import debounce
from controlplane.discovery.codec import Wish
from controlplane.discovery.convergence import convergence
from controlplane.discovery.debounce import Debounce
from controlplane.discovery.departed import Departed
from controlplane.discovery.desired import Published
from controlplane.discovery.exchange import Acknowledgement, Nonce, Response, Stage
from controlplane.discovery.measure import Measure
from controlplane.discovery.stream import Stream, resource_convergence
from controlplane.discovery.subscription import MAX_WANTED, Shift, Subscription
from controlplane.errors import DiscoveryError, DismissedError, ReplacedError, TooManyResourcesError
from controlplane.metrics import Metrics
from controlplane.model.document import ObjectKey
from controlplane.model.resource import ResourceName, Version
from controlplane.model.sidecar import Hello, PolicyConvergence, SidecarState, SidecarStatus
from controlplane.snapshot.build import Snapshot
from controlplane.snapshot.diff import Difference
from registry.clock import Clock

MOVE_SECONDS = 1.0
"""A sidecar that connected elsewhere this much later has moved; less may be how long the news took."""

SLICE = 512
"""Streams that are looked at before others get their turn on the loop."""

NONCES = 1 << 10
"""Responses to one stream between two changes that do not catch up with the nonce of the next change."""


class Fleet:
    """The sidecars of this process, and the snapshot they should have."""

    def __init__(self, published: Published, *, clock: Clock, metrics: Metrics) -> None:
        self._desired = published
        self._clock = clock
        self._measure = Measure(metrics)
        self._streams: dict[str, Stream] = {}
        self._readers: dict[ResourceName, dict[Stream, None]] = {}  # a set takes three times the room
        self._departed = Departed()
        self._debounce = Debounce()
        self._noted = asyncio.Event()
        self._published = asyncio.Condition()
        self._nonce = 0

    @property
    def desired(self) -> Published:
        """What sidecars should have now."""
        return self._desired

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self._desired.snapshot

    async def reached(self, revision: int) -> None:
        """Returns once sidecars are offered a snapshot of `revision` or a newer one."""
        async with self._published:
            await self._published.wait_for(lambda: self._desired.revision >= revision)

    async def publish(self, snapshot: Snapshot, difference: Difference, *, is_settled: bool) -> None:
        """Offers `snapshot`, which has `difference` to the one offered before."""
        previous = self._desired
        self._nonce += NONCES
        self._desired = previous.successor(snapshot, difference.removed, is_settled=is_settled)
        changed = {resource.name for resource in difference.changed}.union(difference.removed)
        await self._change(changed, previous.revision)
        now_ns = self._clock.now_ns()
        self._debounce, released = debounce.note(self._debounce, changed & self._readers.keys(), now_ns)
        self._noted.set()
        await self._release(released)
        if is_settled and not previous.is_settled:
            await self._release(self._readers.keys())
        async with self._published:
            self._published.notify_all()

    async def run(self) -> None:
        """Releases what the debounce held back, until cancelled."""
        while True:
            await self._wait_for_debounce()
            await self.release()

    async def release(self) -> None:
        """Releases what the debounce held back until now."""
        self._debounce, released = debounce.tick(self._debounce, self._clock.now_ns())
        await self._release(released)

    def join(self, hello: Hello, held: Mapping[ResourceName, Version]) -> Stream:
        """The stream of a sidecar that holds `held`, in place of an earlier one of the same instance."""
        stream = self._stream(hello, held)
        if earlier := self._streams.get(hello.instance):
            self._end(earlier, ReplacedError(hello.instance))
        self._streams[hello.instance] = stream
        self._departed.discard(hello.instance)
        return stream

    def leave(self, stream: Stream) -> None:
        """A stream has ended."""
        now_ns, instance = self._clock.now_ns(), stream.hello.instance
        if self._streams.get(instance) is stream:
            del self._streams[instance]
            self._departed.add(stream.status(self._desired, now_ns), stream.state.applied, now_ns)
        self._index(stream, Shift(unwanted=frozenset(stream.state.applied)))
        stream.line, stream.state = None, Subscription({})

    def _stream(self, hello: Hello, held: Mapping[ResourceName, Version]) -> Stream:
        state = Subscription(self._desired.shared_versions(held), min(hello.revision, self._desired.revision))
        return Stream(hello=hello, state=state, joined_ns=self._clock.now_ns())

    def subscribe(self, stream: Stream, wish: Wish) -> None:
        """Takes note of what a sidecar wants.

        Raises:
            TooManyResourcesError: it is more than any workload needs.
        """
        count = len(stream.state.applied) + len(wish.wanted)
        if count > MAX_WANTED:
            raise TooManyResourcesError(limit=MAX_WANTED, found=count)
        wanted = map(self._desired.shared_name, wish.wanted)
        self._index(stream, stream.state.subscribe(wanted, wish.unwanted, self._desired))
        self._note_pending(stream, self._clock.now_ns())
        stream.wake()

    def acknowledge(self, stream: Stream, ack: Acknowledgement) -> None:
        """Takes note of what became of a response."""
        now_ns = self._clock.now_ns()
        response = stream.state.unconfirmed.get(ack.nonce)
        stream.state.acknowledge(ack, self._desired)
        stream.last_ack_ns = now_ns
        if response and ack.stage is Stage.APPLIED:
            self._measure.push(response, ack, now_ns - stream.sent_ns[ack.nonce])
            if not stream.state.unconfirmed:
                stream.sent_ns = {}
        self._note_pending(stream, now_ns)
        if stream.state.due:
            stream.wake()

    def respond(self, stream: Stream) -> Response | None:
        """The response to send to a sidecar now, if there is one.

        Its nonce is new to the stream, and that of all streams which are told of one change: what is equal
        otherwise is then encoded once for all of them.
        """
        number = max(stream.nonce + 1, self._nonce)
        nonce = Nonce(str(number))
        response = stream.state.respond(self._desired, nonce)
        if response:
            stream.nonce = number
            stream.pushes += 1
            stream.sent_ns[nonce] = self._clock.now_ns()
        return response

    def sidecars(self) -> tuple[SidecarStatus, ...]:
        """Every sidecar that is connected or was of late, sorted by instance; its resources are in `find`."""
        now_ns = self._clock.now_ns()
        connected = [stream.status(self._desired, now_ns) for stream in self._streams.values()]
        departed = self._departed.statuses(self._desired, now_ns)
        return tuple(sorted([*connected, *departed], key=lambda status: status.hello.instance))

    def find(self, instance: str) -> SidecarStatus | None:
        """One sidecar, with its resources."""
        now_ns = self._clock.now_ns()
        stream = self._streams.get(instance)
        if stream is None:
            return self._departed.find(instance, self._desired, now_ns)
        resources = resource_convergence(stream.state.applied, self._desired)
        return replace(stream.status(self._desired, now_ns), convergence=resources)

    def count(self) -> Mapping[SidecarState, int]:
        """How many sidecars stand where."""
        found = dict.fromkeys(SidecarState, 0)
        for stream in self._streams.values():
            found[stream.standing(self._desired)] += 1
        found[SidecarState.OFFLINE] = len(self._departed)
        return found

    def readers(self, resource: ResourceName) -> tuple[str, ...]:
        """The connected sidecars that want a resource, sorted."""
        return tuple(sorted(stream.hello.instance for stream in self._readers.get(resource, ())))

    def convergence(self, policy: ObjectKey | None = None) -> dict[ObjectKey, PolicyConvergence]:
        """How far the connected sidecars are with one policy, or with each that concerns any of them."""
        return convergence(self._readers, self._desired, policy)

    def arrivals(self, within_seconds: float) -> dict[str, float]:
        """The sidecars that connected within a time, with the seconds since."""
        now_ns = self._clock.now_ns()
        ages = {name: (now_ns - stream.joined_ns) / 1e9 for name, stream in self._streams.items()}
        return {name: age for name, age in ages.items() if age <= within_seconds}

    def supersede(self, arrivals: Mapping[str, float]) -> None:
        """Ends the streams of sidecars that connected elsewhere since, each so many seconds ago.

        Theirs are broken, though nothing has told us yet.
        """
        now_ns = self._clock.now_ns()
        for instance, age_seconds in arrivals.items():
            stream = self._streams.get(instance)
            if stream and (now_ns - stream.joined_ns) / 1e9 > age_seconds + MOVE_SECONDS:
                self._end(stream, ReplacedError(instance))

    def dismiss(self) -> int:
        """Ends every stream, for sidecars to go where they are served better; returns how many there were."""
        for stream in self._streams.values():
            self._end(stream, DismissedError())
        return len(self._streams)

    async def _change(self, changed: Collection[ResourceName], previous_revision: int) -> None:
        now_ns = self._clock.now_ns()
        for position, (stream, names) in enumerate(self._concerned(changed).items(), start=1):
            self._index(stream, stream.state.change(names, self._desired, previous_revision))
            self._note_pending(stream, now_ns)
            if position % SLICE == 0:
                await asyncio.sleep(0)

    async def _release(self, released: Collection[ResourceName]) -> None:
        for position, (stream, names) in enumerate(self._concerned(released).items(), start=1):
            stream.state.release(names)
            stream.wake()
            if position % SLICE == 0:
                await asyncio.sleep(0)

    async def _wait_for_debounce(self) -> None:
        """Waits until the next window ends; a change may bring that forward."""
        while True:
            self._noted.clear()
            due_ns = self._debounce.due_ns
            wait_seconds = None if due_ns is None else (due_ns - self._clock.now_ns()) / 1e9
            if wait_seconds is not None and wait_seconds <= 0:
                return
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._noted.wait()
            except TimeoutError:
                return

    def _concerned(self, names: Iterable[ResourceName]) -> dict[Stream, list[ResourceName]]:
        found: dict[Stream, list[ResourceName]] = {}
        for name in names:
            for stream in self._readers.get(name, ()):
                found.setdefault(stream, []).append(name)
        return found

    def _index(self, stream: Stream, shift: Shift) -> None:
        for name in shift.wanted:
            self._readers.setdefault(name, {})[stream] = None
        for name in shift.unwanted:
            self._readers[name].pop(stream, None)
            if not self._readers[name]:
                del self._readers[name]

    def _note_pending(self, stream: Stream, now_ns: int) -> None:
        """Measure how long something was pending, once nothing is."""
        if stream.state.pending:
            stream.behind_ns = stream.behind_ns or now_ns
        elif stream.behind_ns:
            self._measure.convergence(now_ns - stream.behind_ns)
            stream.behind_ns = None

    def _end(self, stream: Stream, error: DiscoveryError) -> None:
        line, stream.line = stream.line, None
        if line:
            line.end(error)
