"""A hash of the code that a job depends on: its modules' syntax trees, without comments and docstrings.

Rules pass it as a parameter, so that a changed operator runs a job again and a changed comment does not.
"""

import ast
import functools
import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("cvqn", "baselines")
PLUMBING = {"cvqn", "cvqn.errors", "cvqn.files", "cvqn.lab.settings.configuration"}  # decide how things fail or are written, not what


def fingerprint(*modules: str) -> str:
    """Sixteen hexadecimal digits over these modules of the project and all that they import from it, however deep.

    Raises:
        FileNotFoundError: there is no such module in the project.
    """
    seen: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in seen or module in PLUMBING:
            continue
        digest, imported = _module(module)
        seen[module] = digest
        waiting += imported
    lines = "\n".join(f"{module} {digest}" for module, digest in sorted(seen.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


@functools.cache
def _module(module: str) -> tuple[str, list[str]]:
    """Hash of one module and the project's modules that it imports, anywhere in its text."""
    path = _path(module)
    if path is None:
        raise FileNotFoundError(f"no module {module} in {ROOT}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        _drop_docstring(node)
    ours = [name for name in imported if name.split(".")[0] in PACKAGES and _path(name) is not None]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), ours


def _drop_docstring(node: ast.AST) -> None:
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body[0].value.value = ""


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
