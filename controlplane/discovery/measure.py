"""What the fleet measures of pushes; labels are looked up once, since one change has a thousand pushes."""

from typing import Final

from controlplane.discovery.exchange import Acknowledgement, Response
from controlplane.metrics import Metrics
from controlplane.model.resource import ResourceType

_SECOND_NS: Final = 1e9


class Measure:
    """Writes to the metrics of the control plane."""

    def __init__(self, metrics: Metrics) -> None:
        self._acks = metrics.pushes.labels("ack")
        self._nacks = metrics.pushes.labels("nack")
        self._convergence_seconds = metrics.convergence_seconds
        self._push_seconds = {kind: metrics.push_seconds.labels(kind.name.lower()) for kind in ResourceType}

    def push(self, response: Response, ack: Acknowledgement, duration_ns: int) -> None:
        """A sidecar applied a response, sent `duration_ns` ago, or refused some of it."""
        (self._nacks if ack.rejections else self._acks).inc()
        for kind in {name.type for name in response.resources}:
            self._push_seconds[kind].observe(duration_ns / _SECOND_NS)

    def convergence(self, duration_ns: int) -> None:
        """A sidecar applies all that it wants, after `duration_ns` in which it did not."""
        self._convergence_seconds.observe(duration_ns / _SECOND_NS)
