"""PEP 517 backend: turns `.proto` files into the `mesh` package, then hands over to maturin.

Generated code is not committed. It has one place, `mesh/` at the root of the tree, so that the import path
equals the proto package. `python proto/build_backend.py` runs the generation alone.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "proto"
TARGET = ROOT / "mesh"

_INIT = '''"""Generated from proto/; do not edit, run `make proto`."""

import hashlib
from pathlib import Path

SOURCE_HASH = "{digest}"

_sources = Path(__file__).resolve().parent.parent / "proto" / "mesh"
if _sources.is_dir():  # a source tree: refuse code that is older than its contract
    _digest = hashlib.sha256()
    for _path in sorted(_sources.rglob("*.proto")):
        _digest.update(_path.name.encode() + b"\\0" + _path.read_bytes())
    if _digest.hexdigest() != SOURCE_HASH:
        raise ImportError("mesh/ was generated from other .proto files; run `make proto`")
'''


def source_hash() -> str:
    """Return the SHA-256 over every `.proto` file, by name and content, in hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted((SOURCES / "mesh").rglob("*.proto")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def generate() -> None:
    """Write `mesh/` anew unless it is there already for the same sources.

    Raises:
        RuntimeError: the compiler refused a file; its own message is on standard error.
    """
    init = _INIT.format(digest=source_hash())
    marker = TARGET / "__init__.py"
    if marker.is_file() and marker.read_text(encoding="utf-8") == init:
        return
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    _compile(sorted((SOURCES / "mesh").rglob("*.proto")))
    for folder in (path for path in TARGET.rglob("*") if path.is_dir()):
        package = ".".join(folder.relative_to(ROOT).parts)
        docstring = f'"""Messages and services of package {package}."""\n'
        (folder / "__init__.py").write_text(docstring, encoding="utf-8")
    (TARGET / "py.typed").touch()
    marker.write_text(init, encoding="utf-8")  # last: its presence says that the rest is whole


def _compile(files: Sequence[Path]) -> None:
    from grpc_tools import protoc  # noqa: PLC0415  # a build requirement, absent at run time

    include = str(resources.files("grpc_tools") / "_proto")
    arguments = ["protoc", f"-I{SOURCES}", f"-I{include}"]
    arguments += [f"--{kind}={ROOT}" for kind in ("python_out", "grpc_python_out")]
    arguments += [f"--{kind}=quiet:{ROOT}" for kind in ("mypy_out", "mypy_grpc_out")]
    if protoc.main([*arguments, *map(str, files)]) != 0:
        raise RuntimeError("the proto compiler refused a file; see its message above")


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return nothing beyond what `pyproject.toml` names."""
    del config_settings
    return []


get_requires_for_build_editable = get_requires_for_build_wheel
get_requires_for_build_sdist = get_requires_for_build_wheel


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Return the file name of the wheel built into `wheel_directory`."""
    import maturin  # noqa: PLC0415  # a build requirement, absent at run time

    generate()
    return str(maturin.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Return the file name of the editable wheel built into `wheel_directory`."""
    import maturin  # noqa: PLC0415  # a build requirement, absent at run time

    generate()
    return str(maturin.build_editable(wheel_directory, config_settings, metadata_directory))


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Return the file name of the source distribution built into `sdist_directory`."""
    import maturin  # noqa: PLC0415  # a build requirement, absent at run time

    generate()
    return str(maturin.build_sdist(sdist_directory, config_settings))


if __name__ == "__main__":
    generate()
