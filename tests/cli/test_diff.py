"""``tlswire diff``: exit codes, files, and what is said of input that cannot be compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]  # has no stubs
import pytest

from tlswire.results import DIFF_SCHEMA, json_schema

from .run import refused, run

if TYPE_CHECKING:
    from pathlib import Path


def result(*versions: str, **fields: Any) -> bytes:
    told = [
        {"version": name, "verdict": "accepted", "suites": [{"code": "0x1301", "grade": "strong"}]} for name in versions
    ]
    target = {"host": "a.example", "port": 443}
    return json.dumps({"schema": "tlswire.scan/1", "target": target, "versions": told} | fields).encode() + b"\n"


def refusing(*versions: str) -> list[dict[str, str]]:
    return [{"version": name, "verdict": "rejected"} for name in versions]


OLD = result(versions=refusing("TLS 1.0", "TLS 1.3"))
WORSE = result("TLS 1.0", "TLS 1.3")
BETTER = result(versions=[*refusing("TLS 1.0"), *json.loads(result("TLS 1.3"))["versions"]])
GONE = result(reachable=False)
VERDICT = b'{"schema": "tlswire.verdict/1", "target": {"host": "a.example", "port": 443}}'


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {"old": OLD, "worse": WORSE, "better": BETTER, "gone": GONE, "verdict": VERDICT, "broken": OLD[:-9]}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in contents}


@pytest.mark.parametrize(
    ("new", "code", "first"),
    [
        ("old", 0, "unchanged: 1 of 1"),
        ("better", 0, "  improvement  TLS 1.3 is accepted with 1 suites, was rejected"),
        ("worse", 1, "  regression   TLS 1.0 is accepted with 1 suites, was rejected"),
        ("gone", 3, "  unknown      now: not reached; before: reached: nothing can be compared"),
    ],
)
def test_the_exit_code_says_whether_it_got_worse(files: dict[str, Path], new: str, code: int, first: str) -> None:
    outcome = run("diff", files["old"], files[new])
    assert (outcome.code, outcome.err) == (code, "")
    assert first in outcome.lines


def test_a_regression_is_one_even_where_something_is_not_known(tmp_path: Path) -> None:
    other = {"target": {"host": "b.example", "port": 443}}
    (tmp_path / "old").write_bytes(OLD + result(**other))
    (tmp_path / "new").write_bytes(WORSE + result(**other, reachable=False))
    outcome = run("diff", tmp_path / "old", tmp_path / "new")
    assert outcome.code == 1
    assert outcome.lines[-1] == "1 regression, 1 not known, 1 improvement, 0 neutral"


def test_the_json_follows_its_schema(files: dict[str, Path], tmp_path: Path) -> None:
    outcome = run(
        "diff", files["old"], files["worse"], "--json", tmp_path / "d", "--markdown", tmp_path / "m", "--quiet"
    )
    assert (outcome.code, outcome.raw) == (1, b"")
    value = json.loads((tmp_path / "d").read_bytes())
    jsonschema.Draft202012Validator(json_schema(DIFF_SCHEMA)).validate(value)
    assert value["counts"] == {"regression": 1, "unknown": 0, "improvement": 1, "neutral": 0}
    assert (value["schema"], value["of"]) == ("tlswire.diff/1", "tlswire.scan/1")
    assert (value["old"], value["new"]) == (str(files["old"]), str(files["worse"]))
    assert (
        (tmp_path / "m").read_text().splitlines()[4].startswith("| regression | <code>a.example:443</code> | TLS 1.0")
    )


def test_one_side_and_one_output_may_be_a_pipe(files: dict[str, Path]) -> None:
    outcome = run("diff", "-", files["worse"], "--json", "-", stdin=OLD)
    assert outcome.code == 1
    assert json.loads(outcome.raw)["counts"]["regression"] == 1
    assert refused(run("diff", "-", "-", stdin=OLD)) == "-: stdin holds one file"
    both = run("diff", files["old"], files["worse"], "--json", "-", "--markdown", "-")
    assert refused(both) == "--json and --markdown: -: stdout holds one file"


def test_what_cannot_be_compared_is_told(files: dict[str, Path], tmp_path: Path) -> None:
    old = files["old"]
    said = refused(run("diff", old, files["verdict"]))
    assert said.startswith(f"{files['verdict']}: line 1: is tlswire.verdict/1, {old} is tlswire.scan/1")
    said = refused(run("diff", old, files["broken"]))
    assert said == f"{files['broken']}: line 1: is no JSON: Input data was truncated at byte {len(OLD) - 9}"
    assert (
        refused(run("diff", tmp_path / "none", old))
        == f"{tmp_path / 'none'}: cannot be read: No such file or directory"
    )
    assert refused(run("diff", old, tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"
    nowhere = tmp_path / "none" / "d"
    assert (
        refused(run("diff", old, old, "--json", nowhere)) == f"{nowhere}: cannot be written: No such file or directory"
    )
