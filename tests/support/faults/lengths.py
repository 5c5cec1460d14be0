"""How long faults last: long enough to prove the point, or as long as the promise says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Durations in seconds, and counts."""

    outage: float  # of control planes, and of all there is
    store_outage: float  # of etcd's majority
    flapping: float  # of one policy, twice
    pause: float  # of a control plane that stands still
    partition: float  # of etcd's leader, twice
    leader_kills: int
    leader_rest: float  # between two of them
    returning: int  # sidecars whose control plane comes back
    called: int  # services, by each sidecar, that a large push changes
    churn: float  # of endpoints and policies, twice


SHORT = Lengths(
    outage=20,
    store_outage=20,
    flapping=15,
    pause=35,
    partition=20,
    leader_kills=3,
    leader_rest=8,
    returning=60,  # fewer would be judged by chance
    called=100,
    churn=25,
)
LONG = Lengths(
    outage=600,
    store_outage=300,
    flapping=60,
    pause=60,
    partition=60,
    leader_kills=6,
    leader_rest=20,
    returning=200,
    called=500,
    churn=300,
)
