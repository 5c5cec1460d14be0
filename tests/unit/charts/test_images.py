"""The recipes of the images, as far as they can be judged without building them."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.reference import ROOT

RECIPES = sorted((ROOT / "charts" / "images").glob("*.Dockerfile"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SCRIPTS = PROJECT["project"]["scripts"]
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
def test_what_the_wheel_is_built_from_is_copied(part: str) -> None:
    copied = {
        source
        for name, rest in instructions(ROOT / "charts" / "images" / f"{part}.Dockerfile")
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    project, maturin = PROJECT["project"], PROJECT["tool"]["maturin"]
    wanted = {"pyproject.toml", project["readme"], *project["license-files"]}
    assert copied >= wanted | set(PROJECT["build-system"]["backend-path"]) | set(maturin["python-packages"])


def test_what_is_built_here_never_gets_into_an_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {"**/*.so", "**/target", "mesh"} <= set(ignored)


def test_the_extras_of_the_control_plane_are_there() -> None:
    [line] = [rest for _, rest in instructions(RECIPES[1]) if "pip install" in rest]
    extras = line.partition('".[')[2].partition(']"')[0].split(",")
    assert set(extras) <= PROJECT["project"]["optional-dependencies"].keys()
    assert {"controlplane", "kubernetes"} <= set(extras)


@pytest.mark.parametrize(
    ("part", "start"),
    [
        ("sidecar", "import sys; from {module} import {function} as run; run()"),
        ("capture", "import runpy; runpy.run_module('sidecar.capture', run_name='__main__')"),
    ],
)
def test_what_an_image_keeps_is_enough_to_start(part: str, start: str, tmp_path: Path) -> None:
    """Of the wheel, the sidecar's image keeps its own package, and that of capture even less."""
    kept = tmp_path / "sidecar"
    kept.mkdir()
    for path in (ROOT / "sidecar").iterdir():
        if path.suffix == ".py" or path.name == "capture" or (part == "sidecar" and path.suffix == ".so"):
            (kept / path.name).symlink_to(path)
    module, _, function = SCRIPTS["breakwater-sidecar"].partition(":")
    code = "import sys; sys.argv[1:] = ['--help']; " + start.format(module=module, function=function)
    bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(
        [sys.executable, "-S", "-c", code], env=bare, check=True, capture_output=True, text=True
    )
    assert f"breakwater-{part}" in found.stdout


def test_the_programs_that_pods_run_stay_in_the_image() -> None:
    [line] = [rest for _, rest in instructions(RECIPES[2]) if " rm -r " in rest]
    removed = line.partition(" rm -r ")[2].partition("&&")[0].split()
    assert "bin/breakwater-sidecar" not in removed
    assert {f"bin/{name}" for name in SCRIPTS} >= {one for one in removed if one.startswith("bin/")}
    assert {one for one in removed if "/" not in one} == {"controlplane", "registry", "mesh"}


@pytest.mark.parametrize("part", ["controlplane", "sidecar"])
def test_images_without_a_shell_start_our_programs(part: str) -> None:
    found = list(instructions(ROOT / "charts" / "images" / f"{part}.Dockerfile"))
    [*_, last] = [rest for name, rest in found if name == "FROM"]
    assert last == "gcr.io/distroless/python3-debian12"
    program = found[-1][1].strip('[]"')
    assert program in SCRIPTS
