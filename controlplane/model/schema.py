"""The schema of policies: what may be written where. Read from the proto contract, and from nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.model.value import Value

API_VERSION: Final = "breakwater.dev/v1alpha1"
_ACRONYMS: Final = frozenset({"HTTP", "HTTP2", "GRPC", "TLS", "TCP", "DNS"})


class Shape(Enum):
    """What a value is."""

    BLOCK = "a block of fields"
    STRING = "a string"
    INTEGER = "an integer"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    DURATION = "a duration such as 250ms or 1m30s"
    WORD = "a word of a closed list"
    LABELS = "a map of strings"
    MAP = "a map of blocks"


class Format(Enum):
    """Reading of a value whose shape does not say it."""

    PLAIN = ""
    SIZE = "bytes such as 65536 or 64Ki"
    PERCENT = "a number from 0 to 100"
    CIDR = "an IP address or a CIDR block"
    HEADER_NAME = "an HTTP header name"
    CONDITION = "a condition, an HTTP status, a class such as 5xx, or a gRPC code"
    NAME = "a name of lower-case letters, digits and -, at most 63 characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What restricts a field; a bound of a duration is in seconds, and `filled` strings are not empty."""

    required: bool = False
    filled: bool = False
    minimum: float | None = None
    maximum: float | None = None
    positive: bool = False
    pattern: str = ""
    format: Format = Format.PLAIN
    min_items: int = 0
    max_items: int = 64
    max_length: int = 253
    one_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a block: `block` says what a BLOCK or each of a MAP holds, `words` what a WORD may be.

    The format of a MAP is that of its keys.
    """

    name: str
    shape: Shape
    repeated: bool = False
    block: Block | None = None
    words: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    default: Value | None = None

    @property
    def is_map(self) -> bool:
        """Whether it holds values under names of the author's own."""
        return self.shape in {Shape.LABELS, Shape.MAP}

    @property
    def entry(self) -> Field:
        """What stands under each name of a map."""
        shape = Shape.BLOCK if self.block else Shape.STRING
        return Field(name=self.name, shape=shape, block=self.block)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Fields that are written together, by name in the order of the contract."""

    name: str
    fields: Mapping[str, Field]

    def siblings(self, name: str) -> tuple[str, ...]:
        """The other fields of the group of which only one may be set, if `name` is of one."""
        group = self.fields[name].rules.one_of
        if not group:
            return ()
        return tuple(
            other.name for other in self.fields.values() if other.rules.one_of == group and other.name != name
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of document; `document` is the block of the whole, with its spec.

    `api_version` is that of another project for a kind that we only read; `other_api_versions` say the same.
    """

    name: str
    short_name: str
    api_version: str
    cluster_scoped: bool
    singleton: bool
    spec: Block
    document: Block
    other_api_versions: tuple[str, ...] = ()

    @property
    def api_versions(self) -> tuple[str, ...]:
        """Every version by which it may be written."""
        return self.api_version, *self.other_api_versions

    @property
    def is_ours(self) -> bool:
        """Whether its definition and its status are ours."""
        return self.api_version == API_VERSION

    @property
    def plural(self) -> str:
        """What many are called in addresses of the Kubernetes API."""
        name = self.name.lower()
        if name.endswith("y"):
            return f"{name[:-1]}ies"
        return f"{name}es" if name.endswith(("s", "sh", "ch", "x")) else f"{name}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Every kind by name, and every block that they use by its name in the contract."""

    kinds: Mapping[str, Kind]
    blocks: Mapping[str, Block]


def word(enum: str, constant: str) -> str:
    """How a constant of the contract is written in a policy: RETRY_STRATEGY_FULL_JITTER is FullJitter."""
    parts = constant.removeprefix(enum_prefix(enum)).split("_")
    return "".join(part if part in _ACRONYMS else part.capitalize() for part in parts)


def enum_prefix(enum: str) -> str:
    """What every constant of `enum` begins with: RETRY_STRATEGY_ for RetryStrategy."""
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in enum).lstrip("_") + "_"
