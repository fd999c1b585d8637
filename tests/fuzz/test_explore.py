from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tlswire.errors import UsageError
from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.corpus import REMEMBERED, Corpus, Remembered
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.generate import Mutation
from tlswire.fuzz.line import Bounds
from tlswire.lab.server import running
from tlswire.probe.transport import Address

if TYPE_CHECKING:
    from pathlib import Path

    from tlswire.results.fuzz import Fuzz

ONE = Remembered(
    Mutation("TLS 1.3+1.2", (Edit("size", "session_id", 33), Edit("data", "random", b"\0"))), "flight", "why"
)


def explored(who: str, corpus: Corpus, seconds: float) -> Fuzz:
    with running(who) as lab:
        options = Options(explore=seconds, bounds=Bounds(timeout=1))
        return asyncio.run(fuzz_address("lab", Address(lab.host, lab.port), (), options, corpus=corpus))


def test_an_exploration_finds_a_planted_fault_and_a_later_one_begins_with_it(tmp_path: Path) -> None:
    with Corpus(tmp_path) as corpus:
        first = explored("ignores-duplicates", corpus, 6)
    assert first.findings
    assert all(finding.level == "MUST" for finding in first.findings)
    with Corpus(tmp_path) as corpus:
        assert corpus.causes()
        again = explored("ignores-duplicates", corpus, 0.001)
    assert {finding.cause for finding in again.findings} == corpus.causes()


def test_an_exploration_of_the_strict_server_finds_nothing() -> None:
    with Corpus() as corpus:
        result = explored("strict", corpus, 2)
        assert len(corpus.classes) > 4
    assert result.findings == []


def test_what_is_remembered_is_there_the_next_time_but_for_a_torn_line(tmp_path: Path) -> None:
    with Corpus(tmp_path) as corpus:
        corpus.remember(ONE)
    path = tmp_path / REMEMBERED
    path.write_bytes(path.read_bytes() + b'{"mutation":{"base":')
    with Corpus(tmp_path) as corpus:
        assert corpus.remembered == [ONE]
        assert corpus.classes["flight"] == 1
        corpus.remember(ONE)
    with Corpus(tmp_path) as corpus:
        assert corpus.remembered == [ONE, ONE]


def test_a_folder_of_something_else_is_told_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / REMEMBERED).write_bytes(b"{}\n")
    with pytest.raises(UsageError, match=r"corpus\.jsonl: line 1") as caught, Corpus(tmp_path):
        pass
    assert "no memory of an exploration" in str(caught.value)


def test_a_folder_that_cannot_be_made_is_told() -> None:
    from pathlib import Path  # noqa: PLC0415 - the only use but for types

    with pytest.raises(UsageError, match="cannot be used"), Corpus(Path("/dev/null/corpus")):
        pass
