from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tlswire"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Data flows one way: a room imports only from rooms above its own.
ROOMS = (
    "errors",
    "registry",
    "wire",
    "crypto",
    "hello",
    "certificates",
    "results",
    "probe",
    "capture",
    "scan",
    "report",
    "lab",
    "cli",
)
# The lab answers hellos and knows nothing of those who send them; writers know results only.
ALLOWED = {
    "lab": {"errors", "registry", "wire", "hello", "lab"},
    "report": {"errors", "registry", "wire", "results", "report"},
}
HEAVY = {"scapy", "hypothesis", "jinja2", "rich", "cryptography", "certifi"}
SOCKETS = {"probe/transport.py", "lab/server.py", "report/trace.py"}  # trace.py only packs addresses
LONGEST = 450


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(tree: ast.AST, *, everywhere: bool) -> set[str]:
    found: set[str] = set()
    nodes = ast.walk(tree) if everywhere else ast.iter_child_nodes(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_the_rules_of_the_house(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = str(path.relative_to(PACKAGE))
    assert ast.get_docstring(tree), "no docstring says what lives here"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
    assert not {module.partition(".")[0] for module in imports(tree, everywhere=False)} & HEAVY
    if name not in SOCKETS:
        assert "socket" not in imports(tree, everywhere=True)
    room = room_of(path)
    if room not in ROOMS:
        assert name in {"__init__.py", "__main__.py"}
        return
    above = ALLOWED.get(room, set(ROOMS[: ROOMS.index(room) + 1]))
    for module in imports(tree, everywhere=True):
        if module.startswith("tlswire."):
            assert module.split(".")[1] in above, f"{name} imports {module}"
