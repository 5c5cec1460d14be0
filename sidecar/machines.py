"""The pure policy machines of the core, typed: for tests, simulations and what-if questions.

What decides here is the code that decides on live traffic. Nothing reads a clock or draws a number: instants
are `now_ns`, monotonic nanoseconds, with `unix_ns` beside it where the calendar matters and says something
else, and chance is a `draw`, 64 uniform bits. Settings are frozen dataclasses, with the defaults of the
policies; durations are integers of nanoseconds, percentages numbers from 0 to 100. Numbers below zero or
above 64 bits raise `OverflowError`, unknown words `ValueError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sidecar._core import (
    BREAKER_TRANSITIONS,
    HISTOGRAM_BOUNDS_NS,
    REASONS,
    Adaptive,
    Admission,
    AdmitRate,
    Admitted,
    Again,
    Backpressure,
    Bandwidth,
    Breaker,
    Budget,
    Bulkhead,
    Counts,
    Deadline,
    Endpoints,
    GroupWatch,
    HealthProbes,
    Held,
    Histogram,
    Limited,
    Limits,
    LimitView,
    Outliers,
    OverloadDamper,
    Permit,
    Picked,
    Reason,
    RecentLatency,
    Reconnect,
    Refusal,
    Retry,
    RouteTable,
    Spent,
    SplitTurns,
    Strain,
    Ticket,
    Transition,
    Wait,
    checker,
    encode_grpc_timeout,
    expression_fault,
    fix_deadline,
    hedge_delay_ns,
    is_hedgeable,
    is_overload,
    is_prober,
    may_succeed_elsewhere,
    outcome,
    parse_deadline_ms,
    parse_grpc_timeout,
    pay_hedge,
    probers_verdict,
    pushback_ms,
    reach,
    retry_after_seconds,
)

__all__ = [
    "BREAKER_TRANSITIONS",
    "HISTOGRAM_BOUNDS_NS",
    "REASONS",
    "Adaptive",
    "AdaptiveConcurrency",
    "AdaptiveParams",
    "Admission",
    "AdmissionParams",
    "AdmitRate",
    "Admitted",
    "Again",
    "Algorithm",
    "Arrival",
    "Ask",
    "Attempt",
    "Backoff",
    "Backpressure",
    "BackpressureParams",
    "BalancingPolicy",
    "Bandwidth",
    "Block",
    "Breaker",
    "BreakerParams",
    "Budget",
    "BudgetParams",
    "Buffer",
    "Bulkhead",
    "BulkheadParams",
    "Cause",
    "Codel",
    "Concurrency",
    "CountWindow",
    "Counts",
    "Criticality",
    "Deadline",
    "EarlyDetection",
    "EjectionParams",
    "Ending",
    "Endpoints",
    "FailurePercentage",
    "FixedWindow",
    "GroupWatch",
    "HealthCheckParams",
    "HealthProbes",
    "HealthVerdict",
    "Held",
    "Histogram",
    "Lanes",
    "LeakyBucket",
    "LimitParams",
    "LimitView",
    "Limited",
    "Limits",
    "Outcome",
    "OutlierParams",
    "Outliers",
    "OverloadDamper",
    "Permit",
    "Picked",
    "Probes",
    "Progress",
    "QueueParams",
    "Rate",
    "Reason",
    "RecentLatency",
    "Reconnect",
    "Refusal",
    "Request",
    "Response",
    "Retry",
    "RetryParams",
    "RouteMatch",
    "RouteRule",
    "RouteTable",
    "Signal",
    "SlidingLog",
    "SlidingWindow",
    "SlowerThanOthers",
    "Spent",
    "SplitTurns",
    "State",
    "Strain",
    "Strategy",
    "SuccessRate",
    "Successes",
    "Throttle",
    "Ticket",
    "TimeWindow",
    "TokenBucket",
    "Transition",
    "Wait",
    "WhenKeysFull",
    "checker",
    "encode_grpc_timeout",
    "expression_fault",
    "fix_deadline",
    "hedge_delay_ns",
    "is_hedgeable",
    "is_overload",
    "is_prober",
    "may_succeed_elsewhere",
    "outcome",
    "parse_deadline_ms",
    "parse_grpc_timeout",
    "pay_hedge",
    "probers_verdict",
    "pushback_ms",
    "reach",
    "retry_after_seconds",
]

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000

State = Literal["closed", "open", "half_open", "forced_open", "forced_closed", "disabled"]
Cause = Literal[
    "consecutive_failures",
    "error_rate",
    "slow_rate",
    "open_time_over",
    "probe_failed",
    "probe_slow",
    "probe_silent",
    "probes_passed",
    "forced",
    "force_over",
]
Outcome = Literal["success", "failure", "uncounted"]
BalancingPolicy = Literal["PeakEwma", "LeastRequest", "RoundRobin", "Random", "RingHash", "Maglev"]
"""How endpoints are chosen."""

Signal = Literal["success", "failure", "gateway_failure", "connect_failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWindow:
    """Rates are taken over the last `size` calls."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """Rates are taken over the calls of the last stretch of time, in ten buckets."""

    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Successes:
    """Half open: so many successes close, the first failure opens; at most so many are out at a time."""

    successes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Half open: so many calls in all, judged by their rates once all have finished."""

    probes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerParams:
    """Settings of a breaker; what is `None` never trips it."""

    window: CountWindow | TimeWindow = CountWindow(size=100)
    minimum_requests: int = 20
    error_rate: float | None = 50
    slow_rate: float | None = None
    slow_after_ns: int | None = None
    consecutive_failures: int | None = 5
    reset_timeout_ns: int = 60 * SECOND_NS
    open_base_ns: int = 30 * SECOND_NS
    open_multiplier: float = 2
    open_max_ns: int = 300 * SECOND_NS
    open_jitter: float = 20
    trial: Successes | Probes = Successes(successes=3)
    max_wait_ns: int = 30 * SECOND_NS
    overload_open_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EjectionParams:
    """How many endpoints may be set aside, and below which share of healthy ones none is."""

    max_ejected: float = 10
    panic_threshold: float = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRate:
    """Ejects what is `stdev_factor` standard deviations below the mean success rate of those compared."""

    stdev_factor: float = 1.9
    minimum_endpoints: int = 5
    minimum_requests: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePercentage:
    """Ejects where failures reach a share of the calls."""

    threshold: float = 85
    minimum_endpoints: int = 5
    minimum_requests: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowerThanOthers:
    """Ejects whose p90 is above `factor` times the median of its peers' at `sweeps` sweeps in a row."""

    factor: float = 3
    sweeps: int = 3
    minimum_samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierParams:
    """Settings of outlier detection; a detector that is `None` is off."""

    interval_ns: int = 10 * SECOND_NS
    consecutive_failures: int | None = None
    consecutive_gateway_failures: int | None = None
    connect_failures: int | None = None
    success_rate: SuccessRate | None = None
    failure_percentage: FailurePercentage | None = None
    latency: SlowerThanOthers | None = None
    base_ns: int = 30 * SECOND_NS
    max_ns: int = 300 * SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetParams:
    """Settings of a retry budget; the floor is this sidecar's share, `floor_count` in `floor_per_ns`."""

    percent: float = 20
    interval_ns: int = 10 * SECOND_NS
    floor_count: int = 10
    floor_per_ns: int = SECOND_NS


HealthVerdict = Literal["unknown", "healthy", "unhealthy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckParams:
    """Settings of active health checks, but for what is asked."""

    interval_ns: int = 10 * SECOND_NS
    unhealthy_after: int = 3
    healthy_after: int = 2


Criticality = Literal["critical", "default", "sheddable", "background"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The share of permits, in percent, that belongs to each class."""

    critical: float = 0
    default: float = 0
    sheddable: float = 0
    background: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadParams:
    """Settings of a bulkhead.

    `max_queue` is `max_concurrent` where `None`, `queue_timeout_ns` a quarter of the time left, at most 1 s.
    """

    max_concurrent: int = 100
    max_queue: int | None = None
    queue_timeout_ns: int | None = None
    lanes: Lanes = Lanes()


WhenKeysFull = Literal["ShareOne", "Refuse", "Allow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`requests` in `per_ns`, in equal and exact shares for so many `members`."""

    requests: int
    per_ns: int
    members: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucket:
    """Tokens that come continuously; `burst` fit, where `None` those of a second."""

    rate: Rate
    burst: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyBucket:
    """A line of `queue` places that moves at a fixed rate; without places, a meter."""

    rate: Rate
    queue: int = 0
    max_wait_ns: int = SECOND_NS
    evict: Literal["Newest", "Oldest"] = "Newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedWindow:
    """So many per window; windows follow the calendar, or begin with the first request."""

    rate: Rate
    aligned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingLog:
    """So many in any stretch of time."""

    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindow:
    """As good as that, from the counts of `buckets` slices and one more."""

    rate: Rate
    buckets: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """So many in flight, in equal and exact shares for so many `members`."""

    limit: int
    members: int = 1


Algorithm = TokenBucket | LeakyBucket | FixedWindow | SlidingLog | SlidingWindow | Concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitParams:
    """Settings of a limit: one count, or one per key."""

    algorithm: Algorithm
    max_keys: int = 65_536
    when_keys_full: WhenKeysFull = "ShareOne"
    count_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveParams:
    """Bounds of a limit that moves, and the most that may be measured: nanoseconds, or millionths."""

    min: int
    max: int
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveConcurrency:
    """Bounds of a limit of concurrency that follows latency."""

    min: int = 8
    max: int = 512
    tolerance: float = 1.5
    smoothing: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A full queue holds arrivals for a while, as many as it has places."""

    for_ns: int = SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """A full queue doubles, up to these bounds."""

    max_capacity: int = 10_000
    max_bytes: int = 16_777_216


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """From so much percent full on, a queue admits only as fast as it drains."""

    throttle_from: float = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Codel:
    """Drops from a queue that stands; while it does, the newest may be served first."""

    target_ns: int = 5 * MILLISECOND_NS
    interval_ns: int = 100 * MILLISECOND_NS
    newest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueParams:
    """Settings of a bounded queue."""

    capacity: int = 1000
    mode: Block | Buffer | Throttle | Literal["DropNewest", "DropOldest"] = "DropNewest"
    codel: Codel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyDetection:
    """Classes are shed when the queue would be full within so long."""

    shed_background_below_ns: int = 10 * SECOND_NS
    shed_sheddable_below_ns: int = 3 * SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class BackpressureParams:
    """Settings of what stands in front of an application; without `concurrency` nobody ever waits."""

    concurrency: int | AdaptiveConcurrency | None = None
    queue: QueueParams | None = None
    early_detection: EarlyDetection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request that arrives; `holds_permit` says that one of its trace runs already."""

    criticality: Criticality = "default"
    flow: int = 0
    bytes: int = 0
    deadline_ns: int | None = None
    holds_permit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionParams:
    """Settings of admission control."""

    success_rate: float = 95
    window_ns: int = 30 * SECOND_NS
    max_reject: float = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request costs one limit, `None` where its answer will tell: for `key`, a 64-bit hash, or all."""

    limit: int
    key: int | None = None
    cost: int | None = 1


Strategy = Literal["Immediate", "Fixed", "Exponential", "ExponentialJitter", "FullJitter", "Decorrelated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before retries; `jitter_ns` is for `ExponentialJitter` alone."""

    strategy: Strategy = "FullJitter"
    base_ns: int = 25 * MILLISECOND_NS
    multiplier: float = 2
    max_ns: int = 250 * MILLISECOND_NS
    jitter_ns: int = 25 * MILLISECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryParams:
    """Settings of a `retry:` block, but for its budget."""

    attempts: int = 2
    when: Sequence[str] = (
        "ConnectFailure",
        "PerTryTimeout",
        "RefusedStream",
        "Reset",
        "502",
        "503",
        "504",
        "Unavailable",
    )
    methods: Sequence[str] = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")
    backoff: Backoff = Backoff()
    replay_bytes: int = 65_536
    honor_retry_after: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What of a request matters to its retries.

    `is_idempotent` says that it has an `Idempotency-Key` or is declared idempotent by the service's contract.
    """

    method: str = "GET"
    is_idempotent: bool = False
    body_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An attempt that ended with an answer; `code` is the gRPC status of a gRPC answer."""

    status: int
    code: int | None = None


Ending = (
    Response
    | Literal[
        "connect_failure",
        "connect_timeout",
        "refused_stream",
        "go_away",
        "reset",
        "per_try_timeout",
        "request_timeout",
        "caller_deadline",
        "truncated",
        "peer_refusal",
        "peer_refusal_elsewhere",
        "local_refusal",
        "client_left",
    ]
)
"""How an attempt ended; a peer's refusal `elsewhere` may well succeed on another endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How an attempt ended and what came with its answer; `pushback` is that field as it came."""

    ending: Ending
    is_passed_on: bool = False
    is_exhausted: bool = False
    retry_after_ns: int | None = None
    pushback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a call stands: `retries` made, the last delay, and what is left until its deadline."""

    now_ns: int
    retries: int = 0
    previous_delay_ns: int | None = None
    left_ns: int | None = None
    p50_ns: int | None = None
    has_another_endpoint: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch:
    """What a request looks like: a path as its kind and value, a method, headers and query parameters."""

    path: tuple[Literal["exact", "prefix", "expression"], str] | None = None
    method: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    queries: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """A rule of a route, `namespace/name`; one without matches is for every request."""

    route: str
    created_ns: int | None = None
    matches: Sequence[RouteMatch] = ()
