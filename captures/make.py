"""Makes the captures: ``python captures/make.py --help``.

Recording needs root and the stacks (``make stacks``); transforming needs neither and gives the same bytes each time.
"""

# ruff: noqa: T201 - a command: it prints
from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
if not __package__:  # run as a file: its folder is on the path, ours has to be
    sys.path[0] = str(HERE.parent)

Expected = dict[str, dict[str, Any]]
MARK = "<!-- the rest of this file is written by make.py -->"
RECORDINGS = ("openssl", "keylogs", "clients", "servers", "dialogues", "datagrams")


def transformations() -> list[Any]:
    """Every transformation."""
    modules = (importlib.import_module(f"captures.{name}") for name in ("wrap", "links", "edit"))
    return [item for module in modules for item in module.TRANSFORMATIONS]


def transform(out: Path, names: set[str], expected: Expected) -> Expected:
    """Write the transformations of ``recorded/`` into ``out``; returns what each holds."""
    found: Expected = {}
    (out / "made").mkdir(parents=True, exist_ok=True)
    for item in transformations():
        if names and item.name not in names:
            continue
        (out / "made" / item.name).write_bytes(item.make())
        sessions = [session for base in item.bases for session in expected[f"recorded/{base}.pcap"]["sessions"]]
        shown = [session | (session["opened"] if item.opened else {}) for session in sessions]
        changed = [{**session, **item.changes, "opened": ...} for session in shown]
        found[f"made/{item.name}"] = {
            "shows": item.shows,
            "made_by": "transformed from " + " and ".join(f"recorded/{base}.pcap" for base in item.bases),
            "sessions": [{key: value for key, value in session.items() if value is not ...} for session in changed],
        }
    return found


def record(out: Path, names: set[str], python: str) -> Expected:
    """Record the scenarios into ``out``; returns what each holds."""
    machinery, packets, mint = (importlib.import_module(f"captures.{name}") for name in ("record", "packets", "mint"))
    machinery.enter_namespace()
    machinery.plain_segments()
    found: Expected = {}
    (out / "recorded").mkdir(parents=True, exist_ok=True)
    for name in RECORDINGS:
        module = importlib.import_module(f"captures.{name}")
        for scenario in module.SCENARIOS:
            if names and scenario.name not in names:
                continue
            with tempfile.TemporaryDirectory(prefix="tlswire-captures-") as scratch:
                bench = machinery.Bench(mint.mint(Path(scratch)), Path(scratch), python)
                try:
                    seen, facts = machinery.record(scenario, bench)
                except Exception as error:  # noqa: BLE001 - one stack that fails does not spoil the others
                    print(f"{scenario.name}: {error}", file=sys.stderr)
                    continue
                if module.__name__ != "captures.servers":  # there, connections that say nothing come first
                    facts[0]["start"] = seen[0].time // 1000 / 10**6
                (out / "recorded" / f"{scenario.name}.pcap").write_bytes(packets.pcap(seen))
                for keys in Path(scratch).glob("*.keys"):
                    (out / "recorded" / keys.name).write_bytes(keys.read_bytes())
            print(f"{scenario.name}: {len(seen)} packets, {len(facts)} sessions", file=sys.stderr)
            made_by = getattr(scenario, "made_by", None) or module.made_by(scenario)
            found[f"recorded/{scenario.name}.pcap"] = {"shows": scenario.shows, "made_by": made_by, "sessions": facts}
    return found


def describe(readme: Path, expected: Expected) -> None:
    """Write the table of README.md anew."""
    head = readme.read_text(encoding="utf-8").partition(MARK)[0]
    rows = [f"| {name} | {item['shows']} | {item['made_by']} |" for name, item in sorted(expected.items())]
    lines = [head.rstrip(), "", MARK, "", "| file | shows | made by |", "|---|---|---|", *rows]
    readme.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    """Make what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="where to (default: beside this script)")
    parser.add_argument("--record", action="store_true", help="record anew, too; needs root")
    parser.add_argument("--python", default=sys.executable, help="a Python that has aioquic, aiosmtpd and curl_cffi")
    parser.add_argument("--list", action="store_true", help="what can be made")
    options = parser.parse_args()
    if options.list:
        for name in RECORDINGS:
            for scenario in importlib.import_module(f"captures.{name}").SCENARIOS:
                print(f"recorded/{scenario.name}.pcap: {scenario.shows}")
        for item in transformations():
            print(f"made/{item.name}: {item.shows}")
        return 0
    path = options.out / "expected.json"
    source = path if path.exists() else HERE / "expected.json"
    expected: Expected = json.loads(source.read_text(encoding="utf-8")) if source.exists() else {}
    names = set(options.names)
    if options.record:
        expected |= record(options.out, names, options.python)
    expected |= transform(options.out, names, expected)
    path.write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n", encoding="utf-8")
    if options.out == HERE:
        describe(HERE / "README.md", expected)
    return 0


if __name__ == "__main__":
    sys.exit(main())
