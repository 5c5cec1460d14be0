"""A sidecar without traffic: speaks DiscoveryService as the real one does, and keeps what it is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from controlplane.model.resource import ResourceName, ResourceType, Version
from mesh.v1 import discovery_pb2, discovery_pb2_grpc, registry_pb2, resource_pb2

RECEIVED = discovery_pb2.ACKNOWLEDGEMENT_STAGE_RECEIVED
APPLIED = discovery_pb2.ACKNOWLEDGEMENT_STAGE_APPLIED


@dataclass(slots=True, kw_only=True)
class LightSidecar:
    """One stream and its memory; `refuse` says why a resource is not applied, or nothing.

    While `reads` is cleared it takes nothing from its stream, as one that is stuck.
    """

    instance: str
    call: grpc.aio.StreamStreamCall[discovery_pb2.DiscoveryRequest, discovery_pb2.DiscoveryResponse]
    held: dict[ResourceName, Version]
    refuse: Callable[[resource_pb2.Resource], str] = lambda _: ""
    bodies: dict[ResourceName, bytes] = field(default_factory=dict)
    missing: set[ResourceName] = field(default_factory=set)
    responses: list[discovery_pb2.DiscoveryResponse] = field(default_factory=list)
    revision: int = 0
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def hello(self, services: Iterable[str], account: str = "") -> None:
        names = (service.split("/") for service in services)
        await self._send(
            hello=discovery_pb2.Hello(
                instance=self.instance,
                services=[registry_pb2.ServiceName(namespace=ns, name=name) for ns, name in names],
                service_account=account,
                version="0.0.0-test",
                revision=self.revision,
                held=[
                    discovery_pb2.HeldResource(id=_message(name), version=version)
                    for name, version in self.held.items()
                ],
            )
        )

    async def subscribe(self, *names: ResourceName) -> None:
        await self._send(subscription=discovery_pb2.Subscription(subscribe=map(_message, names)))

    async def unsubscribe(self, *names: ResourceName) -> None:
        await self._send(subscription=discovery_pb2.Subscription(unsubscribe=map(_message, names)))

    async def until(self, condition: "Callable[[LightSidecar], bool]", timeout_seconds: float = 30) -> None:
        """Returns once `condition` holds, which is judged after every response."""
        async with asyncio.timeout(timeout_seconds), self.changed:
            await self.changed.wait_for(lambda: condition(self))

    async def run(self) -> None:
        """Takes and acknowledges responses until the stream ends."""
        while True:
            await self.reads.wait()
            response = await self.call.read()
            if not isinstance(response, discovery_pb2.DiscoveryResponse):
                return  # the end of the stream
            await self._take(response)

    async def _take(self, response: discovery_pb2.DiscoveryResponse) -> None:
        await self._acknowledge(response.nonce, RECEIVED, [])
        rejections = []
        for resource in response.resources:
            name = _name(resource.id)
            if reason := self.refuse(resource):
                rejections.append(
                    discovery_pb2.Rejection(id=resource.id, version=resource.version, reason=reason)
                )
            else:
                self.held[name] = Version(resource.version)
                self.bodies[name] = resource.body
        for one in response.removed:
            self.held.pop(_name(one), None)
        self.missing = (self.missing - self.held.keys()) | set(map(_name, response.missing))
        self.revision = response.revision
        await self._acknowledge(response.nonce, APPLIED, rejections)
        async with self.changed:
            self.responses.append(response)
            self.changed.notify_all()

    async def _acknowledge(
        self,
        nonce: str,
        stage: discovery_pb2.AcknowledgementStage.ValueType,
        rejections: list[discovery_pb2.Rejection],
    ) -> None:
        ack = discovery_pb2.Acknowledgement(nonce=nonce, stage=stage, rejections=rejections)
        await self._send(acknowledgement=ack)

    async def _send(
        self,
        *,
        hello: discovery_pb2.Hello | None = None,
        subscription: discovery_pb2.Subscription | None = None,
        acknowledgement: discovery_pb2.Acknowledgement | None = None,
    ) -> None:
        await self.call.write(
            discovery_pb2.DiscoveryRequest(
                hello=hello, subscription=subscription, acknowledgement=acknowledgement
            )
        )


@asynccontextmanager
async def light_sidecar(
    channel: grpc.aio.Channel,
    instance: str,
    *subscribe: ResourceName,
    services: Iterable[str] = (),
    held: Mapping[ResourceName, Version] | None = None,
    revision: int = 0,
) -> AsyncIterator[LightSidecar]:
    """A sidecar that is connected and reads until the block ends."""
    call = discovery_pb2_grpc.DiscoveryServiceStub(channel).Stream()
    sidecar = LightSidecar(instance=instance, call=call, held=dict(held or {}), revision=revision)
    sidecar.reads.set()
    await sidecar.hello(services)
    if subscribe:
        await sidecar.subscribe(*subscribe)
    running = asyncio.create_task(sidecar.run())
    try:
        yield sidecar
    finally:
        running.cancel()
        call.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _message(name: ResourceName) -> resource_pb2.ResourceName:
    return resource_pb2.ResourceName(type=resource_pb2.ResourceType.ValueType(name.type), name=name.name)


def _name(message: resource_pb2.ResourceName) -> ResourceName:
    return ResourceName(ResourceType(message.type), message.name)
