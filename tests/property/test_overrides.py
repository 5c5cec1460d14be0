"""What merging left of each policy, against the rules of GEP-713 applied field by field."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.document import Document
from controlplane.snapshot.status import conditions
from tests.support.builders import policy, service, snapshot
from tests.support.examples import thousands

FIELDS = ("connect", "idle", "request")
BORN = datetime(2026, 11, 25, tzinfo=UTC)
LEVELS = {
    0: ("breakwater-system", "{kind: Mesh, name: default}"),
    1: ("shop", "{kind: Namespace, name: shop}"),
    2: ("shop", "{kind: Service, name: cart}"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """One policy: where it is attached, how it merges, which timeouts it names, and when it came."""

    name: str
    level: int
    overrides: bool
    fields: frozenset[str]
    day: int

    @property
    def document(self) -> Document:
        return replace(_written(self), created_at=BORN + timedelta(days=self.day))

    @property
    def seniority(self) -> tuple[int, str]:
        """Sorts from old to new."""
        return self.day, f"{LEVELS[self.level][0]}/{self.name}"


@cache
def _written(said: Said) -> Document:
    namespace, target = LEVELS[said.level]
    timeouts = ", ".join(f"{field}: {said.level + 1}s" for field in sorted(said.fields))
    merge = "PatchOverrides" if said.overrides else "PatchDefaults"
    return policy(
        f"merge: {merge}\ntimeouts: {{{timeouts}}}", name=said.name, namespace=namespace, target=target
    )


def winner(field: str, policies: Iterable[Said]) -> Said | None:
    """Who has the say: the broadest that overrides, else the most specific; the older of equals."""
    sayers = sorted((one for one in policies if field in one.fields), key=lambda one: one.seniority)
    overriding = [one for one in sayers if one.overrides]
    if overriding:
        return min(overriding, key=lambda one: one.level)
    return max(sayers, key=lambda one: one.level, default=None)


def verdict(said: Said, policies: Iterable[Said]) -> str:
    won = {field for field in said.fields if winner(field, policies) is said}
    if won == said.fields:
        return "Programmed"
    return "PartiallyProgrammed" if won else "Overridden"


policies_of_all_sorts = st.lists(
    st.builds(
        Said,
        name=st.sampled_from(["a", "b", "c", "d"]),
        level=st.integers(0, 2),
        overrides=st.booleans(),
        fields=st.frozensets(st.sampled_from(FIELDS), min_size=1),
        day=st.integers(0, 2),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda said: (LEVELS[said.level][0], said.name),
)


@thousands()
@given(policies_of_all_sorts)
def test_each_policy_is_told_what_became_of_it(policies: list[Said]) -> None:
    documents = {said: said.document for said in policies}
    built = snapshot(documents.values(), [service()])
    for said, document in documents.items():
        accepted, programmed = conditions(built, document)
        assert accepted.reason == "Accepted"
        assert programmed.reason == verdict(said, policies), programmed.message
