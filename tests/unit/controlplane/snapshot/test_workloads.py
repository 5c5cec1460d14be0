"""What workloads stand behind, as services of a cluster come and go."""

from dataclasses import replace

from controlplane.model.resource import Member, ResourceName, ResourceType, Workload
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.inputs import Inputs
from registry.catalog import Service
from registry.model import Contract, Endpoint, InstanceId, ServiceName, ServicePort
from tests.support.builders import COMPILER

CART, TILL = (ServiceName(namespace="shop", name=name) for name in ("cart", "till"))
POD = ResourceName(ResourceType.WORKLOAD, "shop/pod")


def declared(
    name: ServiceName, *, port: int = 15006, instance: str = "pod", has_sidecar: bool = True
) -> Service:
    endpoint = Endpoint(
        instance=InstanceId(instance), address="10.0.0.1", ports={"http": port}, has_sidecar=has_sidecar
    )
    return Service(
        name=name,
        ports=(ServicePort(name="http", port=80),),
        contract=Contract(),
        endpoints=(endpoint,),
        conflicts=(),
        registered={},
        is_declared=True,
    )


def built(*services: Service, previous: Snapshot | None = None) -> Snapshot:
    return build(Inputs(services={each.name: each for each in services}), COMPILER, previous)


def members(snapshot: Snapshot) -> list[Member] | None:
    resource = snapshot.resources.get(POD)
    return list(resource.body.members) if resource and isinstance(resource.body, Workload) else None


def test_a_pod_may_stand_behind_several_services_at_one_port_or_at_several() -> None:
    snapshot = built(declared(CART), declared(TILL, port=15007))
    assert members(snapshot) == [Member(15006, CART), Member(15007, TILL)]
    assert members(built(declared(CART), declared(TILL))) == [Member(15006, CART), Member(15006, TILL)]


def test_a_workload_is_in_the_zone_that_its_endpoint_is_in() -> None:
    service = declared(CART)
    zoned = replace(service.endpoints[0], labels={"topology.kubernetes.io/zone": "a"})
    first = built(replace(service, endpoints=(zoned,)))
    assert members(first) == [Member(15006, CART, "a")]
    assert members(built(service, previous=first)) == [Member(15006, CART)]


def test_a_workload_follows_services_as_they_come_and_go() -> None:
    first = built(declared(CART))
    second = built(declared(CART), declared(TILL), previous=first)
    assert members(second) == [Member(15006, CART), Member(15006, TILL)]
    third = built(declared(TILL), previous=second)
    assert members(third) == [Member(15006, TILL)]
    assert members(built(previous=third)) is None


def test_a_workload_is_another_version_only_when_its_members_are() -> None:
    first = built(declared(CART))
    healthy = declared(CART)
    other = replace(healthy, endpoints=(replace(healthy.endpoints[0], address="10.0.0.9"),))
    second = built(other, previous=first)
    assert second.resources[POD] is first.resources[POD]


def test_whoever_registers_or_has_no_sidecar_is_no_workload_of_ours() -> None:
    assert members(built(declared(CART, has_sidecar=False))) is None
    assert members(built(replace(declared(CART), is_declared=False))) is None
