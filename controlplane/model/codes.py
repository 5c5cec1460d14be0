"""What may be wrong with documents, or worth a look: every code that problems carry, in one table.

The first two digits say what it is about: 00 the document itself, 01 references, 02 timing, 03 limits,
04 conflicts, 05 injection, 06 versions, 07 telemetry. A number keeps its meaning for ever.
"""

from __future__ import annotations

from enum import Enum


class Level(Enum):
    """How bad it is. Documents with an error are refused."""

    ERROR = "Error"
    WARNING = "Warning"
    INFO = "Info"


class Code(Enum):
    """One thing that may be found: its number, its level, what it is, and what to do about it."""

    UNREADABLE = (
        "BW0001",
        Level.ERROR,
        "cannot be read, or has a field or value that the schema does not know",
        "mend that line; the reference of policies has every field",
    )
    MISFIT = (
        "BW0002",
        Level.ERROR,
        "has fields that do not go together",
        "change one of them as the message says",
    )
    IDLE = (
        "BW0003",
        Level.WARNING,
        "says something that has no effect",
        "leave it out, or say what is meant",
    )
    TARGET_MISSING = (
        "BW0101",
        Level.WARNING,
        "targets something that is not there",
        "`breakwater registry services` lists what is; a policy waits for its target",
    )
    OUT_OF_REACH = (
        "BW0102",
        Level.ERROR,
        "targets something that a policy of its namespace may not govern",
        "move the policy to the namespace of its target, or add a ReferenceGrant there",
    )
    BAD_TARGET = (
        "BW0103",
        Level.ERROR,
        "names a target wrongly",
        "see `targetRefs` in the reference of policies",
    )
    CALLER_MISSING = (
        "BW0104",
        Level.WARNING,
        "is for callers that are not there",
        "`breakwater registry services` lists what is; `from` names callers, not targets",
    )
    UNENFORCED = (
        "BW0105",
        Level.WARNING,
        "is enforced by no sidecar",
        "inject sidecars into the namespace of whoever has to enforce it, and restart its pods",
    )
    BACKEND_MISSING = (
        "BW0106",
        Level.WARNING,
        "leads to a service that is not there",
        "`breakwater registry services` lists what is; until then such calls find no endpoint",
    )
    REFERENCE_REFUSED = (
        "BW0107",
        Level.WARNING,
        "refers to what is of another namespace, without leave",
        "add a ReferenceGrant to that namespace, or name a service of its own",
    )
    PER_TRY_TOO_LONG = (
        "BW0201",
        Level.ERROR,
        "gives one try more time than the whole request has",
        "lower what one try may take, or raise request",
    )
    BACKWARDS = (
        "BW0202",
        Level.ERROR,
        "has a time that is longer than the one which bounds it",
        "swap the two, or leave one at its default",
    )
    HEDGE_TOO_LATE = (
        "BW0203",
        Level.ERROR,
        "hedges after the whole request is over",
        "lower hedge.after, or raise request",
    )
    WAIT_TOO_LONG = (
        "BW0204",
        Level.WARNING,
        "lets a request wait as long as it may take in all",
        "lower the wait, so that time is left for the call",
    )
    HEDGE_NEVER = (
        "BW0205",
        Level.WARNING,
        "hedges after an attempt is over, which is never",
        "lower hedge.after, or raise perTry",
    )
    CAPPED = (
        "BW0206",
        Level.WARNING,
        "begins with a time beyond the longest one, which holds",
        "say max beside base, or lower base",
    )
    RETRIES_TOO_LONG = (
        "BW0207",
        Level.WARNING,
        "has tries that do not fit into the request's time",
        "lower perTry or attempts, or raise request",
    )
    SUBJECT_UNKNOWN = (
        "BW0301",
        Level.ERROR,
        "counts by a part of requests that does not exist",
        "one of header, cookie, query, sourceIp, principal, path, method",
    )
    COST_TOO_HIGH = (
        "BW0302",
        Level.ERROR,
        "has a cost that never fits, so that nothing is admitted",
        "raise burst or requests, or lower the cost",
    )
    KEYS_UNBOUNDED = (
        "BW0303",
        Level.WARNING,
        "counts by what callers make up without bound",
        "count by who calls; or match the paths that are meant",
    )
    BURST_OF_ONE = (
        "BW0304",
        Level.WARNING,
        "admits one request at a time, because burst is left at its default",
        "say a burst: as many as may come at once",
    )
    LOG_TOO_LONG = (
        "BW0305",
        Level.ERROR,
        "keeps a log that is longer than it may be",
        "take a SlidingWindow",
    )
    LOGS_TOO_LARGE = (
        "BW0306",
        Level.WARNING,
        "may take more than 1 GiB for its logs",
        "lower maxKeys, or take a SlidingWindow",
    )
    OUT_OF_BOUNDS = (
        "BW0307",
        Level.ERROR,
        "has a figure outside of the bounds that it states",
        "change the figure or the bounds",
    )
    NOT_FOR_CALLERS = (
        "BW0308",
        Level.ERROR,
        "has callers count what only the target's sidecars can",
        "leave `at` out, and target services with sidecars",
    )
    BAD_LIMIT = (
        "BW0309",
        Level.ERROR,
        "mixes fields of different kinds of limits",
        "one of requests, concurrency, connections, bandwidth and resource, with its own fields",
    )
    FLEET_TOTAL = (
        "BW0310",
        Level.INFO,
        "holds per sidecar, so that the fleet admits a multiple",
        "`scope: Divided` makes the figure the fleet's",
    )
    SAME_LEVEL = (
        "BW0401",
        Level.WARNING,
        "states a field that an older policy of the same target states",
        "leave the field to one of the two; `breakwater describe` shows whose is in force",
    )
    OVERRIDDEN = (
        "BW0402",
        Level.WARNING,
        "states a field that a broader policy overrides",
        "leave the field out, or ask whoever overrides it",
    )
    DEFINED_TWICE = ("BW0403", Level.ERROR, "is defined more than once", "keep one of the two")
    BULKHEADS_DIFFER = (
        "BW0404",
        Level.WARNING,
        "shares a bulkhead with an older policy that gives other figures",
        "give both the same figures, or names of their own",
    )
    NOT_INJECTABLE = (
        "BW0501",
        Level.ERROR,
        "is a pod that can have no sidecar as it is",
        "mend it, and ask `breakwater check-inject -f FILE` what becomes of it",
    )
    USER_CLASH = (
        "BW0502",
        Level.ERROR,
        "runs as the sidecar's user, whose traffic is not redirected",
        "choose another runAsUser, and ask `breakwater check-inject -f FILE` what becomes of it",
    )
    PORT_CLASH = (
        "BW0503",
        Level.ERROR,
        "listens at a port of the sidecar",
        "choose another containerPort, and ask `breakwater check-inject -f FILE` what becomes of it",
    )
    PORT_EXCLUDED = (
        "BW0504",
        Level.WARNING,
        "leaves out a port that policies govern",
        "take the port out of the profile's exclusions",
    )
    CAPTURE_UNDOABLE = (
        "BW0505",
        Level.WARNING,
        "may get around the rules that redirect its traffic",
        "take it from the container, then `kubectl rollout restart` its workload",
    )
    GRACE_TOO_SHORT = (
        "BW0506",
        Level.WARNING,
        "ends its sidecar before what is in flight has to be over",
        "raise it, or lower spec.drain in `kubectl edit sidecarprofile`",
    )
    SIDECAR_VERSION = (
        "BW0601",
        Level.WARNING,
        "is a sidecar of another version than the control plane",
        "restart its pod, so that it is injected anew",
    )
    COMMAND_VERSION = (
        "BW0602",
        Level.WARNING,
        "is a control plane of another version than this command",
        "use a matching command; see `breakwater version`",
    )

    SPANS_LOST = (
        "BW0701",
        Level.WARNING,
        "has spans recorded that no collector gets",
        "give control planes `--otlp-endpoint URL`, in the chart `controlplane.otlpEndpoint`",
    )

    def __init__(self, number: str, level: Level, title: str, hint: str) -> None:
        self.number = number
        self.level = level
        self.title = title
        self.hint = hint

    def __str__(self) -> str:
        return self.number
