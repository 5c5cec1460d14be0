"""What stands of rehearsals, against the merging of other policies."""

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.document import ObjectKey
from controlplane.model.effective import PolicyRef
from controlplane.model.schema import Block, Field, Shape
from controlplane.policy.merge import Contribution, Strategy, merge
from sidecar.machines import Rehearsal, standing_rehearsals
from tests.support.examples import thousands

EFFECTS = ("delay", "abort", "bandwidth")
WORDS = tuple(strategy.value for strategy in Strategy)
WHOLE = "rehearsal"
INNER = Block(name="Rehearsal", fields={name: Field(name=name, shape=Shape.INTEGER) for name in EFFECTS})
BLOCK = Block(name="Spec", fields={WHOLE: Field(name=WHOLE, shape=Shape.BLOCK, block=INNER)})


REHEARSALS = st.lists(
    st.builds(
        Rehearsal,
        merge=st.sampled_from(WORDS),
        specificity=st.integers(0, 3),
        age=st.integers(0, 9),
        effects=st.lists(st.sampled_from(EFFECTS), unique=True).map(tuple),
    ),
    max_size=6,
    unique_by=lambda each: each.age,
)


def contribution(index: int, said: Rehearsal) -> Contribution:
    return Contribution(
        policy=PolicyRef(key=ObjectKey("FaultPolicy", "shop", str(index)), generation=1),
        level="",
        strategy=Strategy(said.merge),
        specificity=(said.specificity,),
        age=(said.age,),
        settings={WHOLE: dict.fromkeys(said.effects, 1)} if said.effects else {},
    )


@thousands()
@given(REHEARSALS)
def test_rehearsals_are_merged_as_all_other_policies_are(said: list[Rehearsal]) -> None:
    merged = merge([contribution(index, each) for index, each in enumerate(said)], BLOCK)
    winners = {
        path[1]: int(origin.policy.key.name) for path, origin in merged.origins.items() if origin.policy
    }
    expected = [[name for name in EFFECTS if winners.get(name) == index] for index in range(len(said))]
    assert standing_rehearsals(said) == expected
