"""The pages of the policies: the generated one is current, the examples of the others are sound."""

import re
from pathlib import Path

import pytest

from tests.support import reference
from tests.support.builders import SCHEMA, read

PAGES = reference.PAGE.parent
WRITTEN = sorted(path for path in PAGES.glob("*.md") if path != reference.PAGE)


def test_the_reference_page_is_current() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.build(), "see `make docs`"


def test_every_kind_has_a_page() -> None:
    own = [name.removesuffix("Policy") for name in SCHEMA.kinds if not name.endswith("Route")]
    names = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in own}
    assert {path.stem for path in WRITTEN} == names | {"routes", "names"}


@pytest.mark.parametrize(
    "page", [page for page in WRITTEN if page.stem != "names"], ids=lambda path: path.stem
)
def test_every_example_is_sound(page: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for example in examples:
        parsed = read(example, page.name)
        assert parsed.problems == ()
        assert parsed.documents
