"""The recipes of the images, as far as they can be judged without building them."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.reference import ROOT

RECIPES = sorted((ROOT / "charts" / "images").glob("*.Dockerfile"))
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
LOWEST_USER = 10_000


def instructions(recipe: Path) -> Iterator[tuple[str, str]]:
    """Each instruction of a recipe with what follows it."""
    text = recipe.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest


def test_there_is_an_image_for_each_part() -> None:
    assert [recipe.stem for recipe in RECIPES] == ["capture", "controlplane", "sidecar"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_an_image_is_built_in_stages_and_runs_as_a_numeric_user(recipe: Path) -> None:
    found = list(instructions(recipe))
    assert sum(name == "FROM" for name, _ in found) == 2
    [user] = [rest for name, rest in found if name == "USER"]
    assert all(int(number) >= LOWEST_USER for number in user.split(":"))
    assert found[-1][0] == "ENTRYPOINT"
    assert not any(name in {"ADD", "EXPOSE"} for name, _ in found)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_what_is_copied_from_the_tree_is_there(recipe: Path) -> None:
    for name, rest in instructions(recipe):
        if name == "COPY" and not rest.startswith("--from"):
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources), rest


@pytest.mark.parametrize("part", ["controlplane", "sidecar"])
def test_images_without_a_shell_start_our_programs(part: str) -> None:
    found = list(instructions(ROOT / "charts" / "images" / f"{part}.Dockerfile"))
    [*_, last] = [rest for name, rest in found if name == "FROM"]
    assert last == "gcr.io/distroless/python3-debian12"
    program = found[-1][1].strip('[]"')
    assert program in SCRIPTS
