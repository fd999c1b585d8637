from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from tlswire.capture.layers import LINK
from tlswire.capture.links import LAYERS
from tlswire.capture.preambles import ROWS
from tlswire.capture.tunnels import OVER_UDP
from tlswire.results.session import DecryptionState, Outcome

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "tlswire"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Data flows one way: a room imports only from rooms above its own.
ROOMS = (
    "errors",
    "escape",
    "registry",
    "wire",
    "crypto",
    "hello",
    "certificates",
    "results",
    "handshake",
    "probe",
    "capture",
    "scan",
    "fuzz",
    "policy",
    "check",
    "report",
    "lab",
    "cli",
)
# Narrower than the order: the lab answers hellos and knows nothing of those who send them; writers know results only;
# what reads captures sends nothing; facts of certificates stand alone, keys know code points and records only.
ALLOWED = {
    "crypto": {"errors", "registry", "wire", "crypto"},
    "certificates": {"errors", "escape", "registry", "certificates"},
    "results": {"errors", "registry", "certificates", "results"},
    "handshake": {"errors", "registry", "wire", "crypto", "hello", "certificates", "handshake"},
    "capture": {"errors", "escape", "registry", "wire", "crypto", "hello", "certificates", "results", "capture"},
    "fuzz": {"errors", "escape", "registry", "wire", "crypto", "hello", "results", "handshake", "probe", "fuzz"},
    "policy": {
        "errors",
        "escape",
        "registry",
        "wire",
        "hello",
        "certificates",
        "results",
        "handshake",
        "policy",
    },
    "lab": {"errors", "registry", "wire", "crypto", "hello", "lab"},
    "report": {"errors", "escape", "registry", "wire", "results", "report"},
}
HEAVY = {"brotli", "scapy", "hypothesis", "jinja2", "rich", "cryptography", "certifi", "zstandard"}
# Strategies are made for programs that have imported Hypothesis already, and no other module of ours imports these.
STRATEGIES = {"fuzz/strategies.py", "fuzz/values.py"}
# What even a lazy import may only do here.
HOMES = {
    "brotli": {"certificates/compressed.py"},
    "scapy": {"capture/live.py"},
    "zstandard": {"capture/compressed.py", "certificates/compressed.py"},
}
# Rooms without I/O, clock and randomness: what they are told is all they know.
PURE = {"wire", "crypto", "hello", "certificates", "results", "handshake"}
OUTSIDE = {"asyncio", "os", "pathlib", "random", "secrets", "ssl", "subprocess", "tempfile", "threading", "time"}
SOCKETS = {"probe/transport.py", "lab/server.py"}
LONGEST = 450


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(tree: ast.AST, *, everywhere: bool) -> set[str]:
    """The modules a tree imports when it is loaded, or ``everywhere``: in functions and by ``import_module``, too."""
    found: set[str] = set()
    nodes = ast.walk(tree) if everywhere else ast.iter_child_nodes(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            found.add(ast.unparse(node.args[0]).removeprefix("f").strip("'"))
    return found


def without_types(tree: ast.Module) -> ast.Module:
    """The tree without what only the type checker reads."""
    body = [node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")]
    return ast.Module(body, [])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_the_rules_of_the_house(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = str(path.relative_to(PACKAGE))
    assert ast.get_docstring(tree), "no docstring says what lives here"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
    heavy = HEAVY - {"hypothesis"} if name in STRATEGIES else HEAVY
    assert not {module.partition(".")[0] for module in imports(tree, everywhere=False)} & heavy
    for strategies in STRATEGIES - {name} if name not in STRATEGIES else ():
        assert f"tlswire.{strategies[:-3].replace('/', '.')}" not in imports(tree, everywhere=False)
    used = {module.partition(".")[0] for module in imports(without_types(tree), everywhere=True)}
    assert not {package for package, homes in HOMES.items() if package in used and name not in homes}
    if name not in SOCKETS:
        assert "socket" not in used
    room = room_of(path)
    assert room not in PURE or not used & OUTSIDE
    if room not in ROOMS:
        assert name in {"__init__.py", "__main__.py"}
        return
    above = ALLOWED.get(room, set(ROOMS[: ROOMS.index(room) + 1]))
    for module in imports(tree, everywhere=True):
        if module.startswith("tlswire."):
            assert module.split(".")[1] in above, f"{name} imports {module}"


def loaded(code: str, *arguments: str) -> set[str]:
    """The modules that are loaded when ``code`` has run with these arguments."""
    told = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    command = [sys.executable, "-c", f"{told}; {code}", *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stderr.split())


def test_importing_the_package_loads_nothing_else() -> None:
    modules = loaded("import tlswire")
    assert not modules & (HEAVY | {"asyncio", "click", "construct", "msgspec"})
    assert {module for module in modules if module.startswith("tlswire")} == {"tlswire"}


# What a command does without: a capture of TLS 1.3 holds no certificate in clear and no QUIC.
@pytest.mark.parametrize(
    ("line", "without"),
    [
        ("--help", HEAVY | {"asyncio", "construct", "msgspec", "multiprocessing"}),
        ("pcap --help", HEAVY | {"asyncio"}),
        ("live --help", HEAVY | {"asyncio"}),
        ("pcap --quiet captures/recorded/tls13.pcap", HEAVY | {"asyncio", "tlswire.policy"}),
        ("pcap --quiet captures/recorded/tls12-ecdhe.pcap", (HEAVY | {"asyncio"}) - {"cryptography"}),
        ("decode 15030300020228", HEAVY | {"asyncio"}),
    ],
)
def test_a_command_loads_only_what_it_needs(line: str, without: set[str]) -> None:
    assert not loaded("from tlswire.cli import main; main()", *line.split()) & without


def test_a_scan_without_starttls_and_proxy_loads_no_opening() -> None:
    scan = "import asyncio; from tlswire.scan.scanner import scan_host; scan_host('127.0.0.1', 1)"
    assert "tlswire.probe.opening" not in loaded(scan)


DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
ARCHITECTURE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
_FROM_ROOT = re.compile(r"`((?:tlswire|tests|captures|docs|bench)/[\w/.-]+)`")
_FROM_PACKAGE = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w/.-]*)`")


def test_architecture_names_every_room() -> None:
    rooms = ARCHITECTURE.partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", rooms, re.MULTILINE)
    there = {room_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert set(rows) == set(ROOMS) == there


@pytest.mark.parametrize(
    "room",
    ["capture", "certificates", "check", "crypto", "fuzz", "handshake", "lab", "policy", "probe", "report", "results"],
)
def test_architecture_names_every_module_of_the_room(room: str) -> None:
    section = re.search(rf"^### `{room}/`\n(.*?)(?=^#|\Z)", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    assert section is not None
    named = {
        name for row in re.findall(r"^\| ([^|]*) \|", section[1], re.MULTILINE) for name in re.findall(r"\w+\.py", row)
    }
    assert named == {path.name for path in (PACKAGE / room).glob("*.py")} - {"__init__.py"}


def test_captures_are_documented_as_their_tables_have_them() -> None:
    text = (PROJECT / "docs" / "captures.md").read_text(encoding="utf-8")
    columns = re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE)
    assert {int(number) for column in columns for number in column.split(",")} == {
        number for table, number in LAYERS if table == LINK
    }
    ports = re.findall(r"^\| UDP ([\d, ]+) \|", text, re.MULTILINE)
    assert {int(number) for column in ports for number in column.split(",")} == set(OVER_UDP)
    (names,) = re.findall(r"`protocol` names.*?: (.*?)\. The name", text, re.DOTALL)
    assert set(re.findall(r"[a-z0-9-]+", names.partition(";")[0])) == {row.name for row in ROWS}
    outcomes = text.partition("| `outcome` |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", outcomes, re.MULTILINE)) == get_args(Outcome)
    states = text.partition("| `decryption` |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `([\w-]+)` \|", states, re.MULTILINE)) == get_args(DecryptionState)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_documents_name_only_what_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [document.parent / link for link in re.findall(r"\]\(((?!https?:)[^)#]+)\)", text)]
    paths = [PROJECT / name for name in _FROM_ROOT.findall(text)] + [
        PACKAGE / name for name in _FROM_PACKAGE.findall(text)
    ]
    assert [str(path) for path in links + paths if not path.exists()] == []
