"""The custom resource definitions, made from the contract; `python -m tests.support.crds` writes them."""

from tests.support.crds.definition import definition
from tests.support.crds.files import FOLDER, NAMES, files, rewrite

__all__ = ["FOLDER", "NAMES", "definition", "files", "rewrite"]
