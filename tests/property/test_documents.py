"""Documents drawn from the schema itself: what is written is read again, and no text breaks the reader."""

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.conditions import WORDS
from controlplane.model.document import Document, ObjectKey
from controlplane.model.schema import Block, Field, Format, Shape
from controlplane.model.text import document_text
from controlplane.model.value import Duration, Tree, Value
from controlplane.snapshot.codec import encode_policy
from controlplane.sources.reader import parse
from tests.support.builders import SCHEMA

MILLISECOND = 1_000_000
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20
)


def values(field: Field) -> st.SearchStrategy[Value]:
    if field.repeated:
        least = max(1, field.rules.min_items)
        return st.lists(single(field), min_size=least, max_size=3).map(tuple)
    return single(field)


def single(field: Field) -> st.SearchStrategy[Value]:
    rules = field.rules
    least, most = int(rules.minimum or rules.positive), int(rules.maximum or 100)
    if field.shape is Shape.MAP:
        return st.dictionaries(NAMES, single(field.entry), min_size=1, max_size=3)
    if field.block is not None:
        return trees(field.block)
    drawn: dict[Shape, st.SearchStrategy[Value]] = {
        Shape.WORD: st.sampled_from(field.words or ("",)),
        Shape.DURATION: st.integers(max(1, least * 1000), most * 1000).map(
            lambda ms: Duration(ms * MILLISECOND)
        ),
        Shape.INTEGER: st.integers(least, most),
        Shape.NUMBER: st.floats(max(1, least), most, allow_subnormal=False, width=16),
        Shape.BOOLEAN: st.booleans(),
        Shape.LABELS: st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3),
        Shape.STRING: strings(field),
    }
    return drawn[field.shape]


def strings(field: Field) -> st.SearchStrategy[Value]:
    if field.rules.pattern:
        return st.from_regex(field.rules.pattern.replace(".*", "[ -~]*"), fullmatch=True).filter(
            lambda text: len(text) <= field.rules.max_length
        )
    match field.rules.format:
        case Format.NAME:
            return NAMES
        case Format.CIDR:
            return st.sampled_from(["10.0.0.0/8", "::1", "192.0.2.1"])
        case Format.HEADER_NAME:
            return st.sampled_from(["x-user", "on", "X_1"])
        case Format.CONDITION:
            return st.sampled_from([*WORDS, "503", "5xx"])
        case _:
            return TEXTS


@st.composite
def trees(draw: st.DrawFn, block: Block) -> Tree:
    tree: dict[str, Value] = {}
    for field in block.fields.values():
        taken = any(name in tree for name in block.siblings(field.name))
        if field.rules.required or (not taken and draw(st.booleans())):
            tree[field.name] = draw(values(field))
    return tree


@st.composite
def documents(draw: st.DrawFn) -> Document:
    kind = draw(st.sampled_from(list(SCHEMA.kinds.values())))
    key = ObjectKey(
        kind=kind.name,
        namespace="" if kind.cluster_scoped else draw(NAMES),
        name="default" if kind.singleton else draw(NAMES),
    )
    return Document(
        key=key, labels=draw(st.dictionaries(NAMES, TEXTS, max_size=2)), spec=draw(trees(kind.spec))
    )


@given(documents())
def test_what_is_written_is_read_again(document: Document) -> None:
    parsed = parse(document_text(document, SCHEMA), "x", SCHEMA)
    # Rules between fields may refuse what was drawn, but every field by itself must be understood.
    structural = [
        each for each in parsed.problems if "expected a string" in each.message or "YAML" in each.message
    ]
    assert structural == []
    if parsed.is_valid:
        assert parsed.documents == (document,)


@given(documents())
def test_every_document_is_a_message(document: Document) -> None:
    assert encode_policy(document).WhichOneof("spec") is not None


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    parsed = parse(text, "x", SCHEMA)
    assert parsed.documents == ()


@given(documents(), st.data())
def test_no_cut_breaks_the_reader(document: Document, data: st.DataObject) -> None:
    text = document_text(document, SCHEMA)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    parse(text[:start] + text[end:], "x", SCHEMA)
