"""A node and its pods: namespaces that a bridge joins, with addresses of both families."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.support.capture.namespace import Namespace, namespace

BRIDGE = "br0"
NODE, NODE_V6 = "10.77.0.1", "fd77::1"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod on the network: its namespace and its addresses."""

    namespace: Namespace
    address: str
    address_v6: str


@dataclass(frozen=True, slots=True)
class Net:
    """The namespace of the node, and the pods."""

    node: Namespace
    pods: tuple[Pod, ...]


@contextmanager
def net(count: int) -> Iterator[Net]:
    """Make a node with so many pods, which reach each other and the node, and send all else to it."""
    with ExitStack() as stack:
        node = stack.enter_context(namespace())
        node.run("ip", "link", "add", BRIDGE, "type", "bridge")
        _address(node, BRIDGE, NODE, NODE_V6)
        pods = [_pod(node, stack.enter_context(namespace()), number) for number in range(10, 10 + count)]
        yield Net(node, tuple(pods))


def _pod(node: Namespace, inside: Namespace, number: int) -> Pod:
    pod = Pod(inside, f"10.77.0.{number}", f"fd77::{number}")
    ours = f"pod{number}"
    node.run("ip", "link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", str(inside.path))
    node.run("ip", "link", "set", ours, "master", BRIDGE, "up")
    _address(inside, "eth0", pod.address, pod.address_v6)
    inside.run("ip", "route", "add", "default", "via", NODE)
    inside.run("ip", "-6", "route", "add", "default", "via", NODE_V6)
    return pod


def _address(inside: Namespace, device: str, address: str, address_v6: str) -> None:
    inside.run("ip", "link", "set", device, "up")
    inside.run("ip", "address", "add", f"{address}/24", "dev", device)
    inside.run("ip", "address", "add", f"{address_v6}/64", "dev", device, "nodad")
