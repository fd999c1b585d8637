from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.run import refused, run
from tlswire.lab.server import running
from tlswire.policy.shipped import names, shipped

if TYPE_CHECKING:
    from pathlib import Path


def test_the_list_has_every_policy_with_its_edition() -> None:
    outcome = run("policies")
    assert outcome.code == 0
    for name in names():
        assert any(line.startswith(f"{name} ") for line in outcome.lines)
    assert "6.0 (2026-04-06)" in outcome.out


@pytest.mark.parametrize("name", names())
def test_a_policy_is_told_rule_by_rule_within_the_width(name: str) -> None:
    outcome = run("policies", "show", name)
    assert outcome.code == 0
    for rule in shipped(name).rules:
        assert f"\n{rule.id} ({rule.level})  " in outcome.out
    assert max(map(len, outcome.lines)) <= 120


def test_a_rule_is_told_in_words() -> None:
    text = " ".join(run("policies", "show", "rfc9325").out.split())
    assert "of any one version where version is TLS 1.2: accepted" in text
    assert "source: RFC 9325 3.5; RFC 7627 [read in the source]" in text
    assert (
        "of every certificate where position is leaf and key family is one of RSA, RSA-PSS: bits is at least 2048"
        in text
    )


def test_a_broken_file_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\ntitle = "Own"\nedition = "1"\n[rules.suite-x]\nlevel = "shall"\n')
    assert refused(run("policies", "show", path)).startswith(f"{path}:")
    assert "none of must, should" not in refused(run("policies", "show", path))  # what is missing is said first
    assert refused(run("policies", "show", "nobody")).startswith("'nobody': is no policy; shipped are apple-")


def test_a_scan_is_judged_and_its_exit_code_says_so(tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts.jsonl"
    with running("legacy-mdm") as server:
        outcome = run(
            *("scan", f"127.0.0.1:{server.port}", "--policy", "mozilla-intermediate", "--policy", "pci-dss-4"),
            *("--verdict-jsonl", verdicts),
        )
    assert outcome.code == 1
    assert f"FAIL  127.0.0.1:{server.port}  mozilla-intermediate" in outcome.out
    assert "TLS 1.0 is accepted" in outcome.out
    told = [json.loads(line) for line in verdicts.read_text().splitlines()]
    assert [(one["schema"], one["policy"], one["verdict"]) for one in told] == [
        ("tlswire.verdict/1", "mozilla-intermediate", "fail"),
        ("tlswire.verdict/1", "pci-dss-4", "fail"),
    ]


def test_verdicts_of_no_policy_are_refused() -> None:
    assert refused(run("scan", "127.0.0.1:1", "--verdict-jsonl", "-")) == "--verdict-jsonl: needs --policy"
