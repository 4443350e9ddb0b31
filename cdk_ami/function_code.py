"""The code of a Lambda function: a module of this package with all that it imports of it, and nothing else.

So a function is tested as it runs, imports with the names that the package has, and is deployed anew only when code
that it runs has changed.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

_ROOT: Final = Path(__file__).parents[1]
_PACKAGE: Final = "cdk_ami"


@contextmanager
def function_code(module: str) -> Iterator[lambda_.Code]:
    """Give the code of the function whose handler is in ``module``, such as ``cdk_ami.runtime.promotion.handler``.

    A function that is made with it takes a copy, so it is good for the ``with`` block only.  The packages on the way
    are empty: what they say of themselves is for people.
    """
    from aws_cdk import aws_lambda as lambda_  # noqa: PLC0415 - the list of modules is plain Python

    with tempfile.TemporaryDirectory() as folder:
        for path in modules_of(module):
            to = Path(folder) / path.relative_to(_ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
            for package in to.relative_to(folder).parents[:-1]:
                (Path(folder) / package / "__init__.py").touch()
        yield lambda_.Code.from_asset(folder)


def modules_of(module: str) -> list[Path]:
    """Return the files of ``module`` and of all that it imports of this package, sorted."""
    found: set[Path] = set()
    open_ = [module]
    while open_:
        path = _path(open_.pop())
        if path is not None and path not in found:
            found.add(path)
            open_ += _imports(path)
    return sorted(found)


def _path(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(f"{_PACKAGE}."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == _PACKAGE:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
