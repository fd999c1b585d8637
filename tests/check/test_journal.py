"""Journals: what is finished is found again, whatever ended the run; of other runs nothing is taken."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.check.plans import job, plan
from tlswire.check.journal import Head, Journal, Shelf, head_of
from tlswire.check.runner import check_job
from tlswire.errors import UsageError
from tlswire.lab.server import Lab
from tlswire.policy.shipped import shipped
from tlswire.results import Verdict, to_json

if TYPE_CHECKING:
    from pathlib import Path

MDM = shipped("apple-mdm-27")


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    async def run() -> Verdict:
        async with Lab("modern") as lab:
            return await check_job(job(lab.port, proofs=True))

    return asyncio.run(run())


def head(**fields: object) -> Head:
    return head_of(plan(**fields), [MDM], b"endpoints")


def several(verdict: Verdict, count: int) -> list[Verdict]:
    return [msgspec.structs.replace(verdict, error=f"number {at}") for at in range(count)]


def test_what_was_written_is_found_again(verdict: Verdict, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, head()) as journal:
        for at, one in enumerate(several(verdict, 3)):
            journal.add(f"key {at}", one)
        assert to_json(journal["key 1"]) == to_json(several(verdict, 3)[1])
    with Journal(path, head()) as journal:
        assert len(journal) == 3
        assert [to_json(journal[f"key {at}"]) for at in range(3)] == [to_json(one) for one in several(verdict, 3)]
        assert journal.notes == []
        assert "key 3" not in journal


@pytest.mark.parametrize("cut", [1, 2, 100, 5000])
def test_a_torn_last_line_is_dropped_and_said(verdict: Verdict, cut: int, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, head()) as journal:
        for at, one in enumerate(several(verdict, 2)):
            journal.add(f"key {at}", one)
    os.truncate(path, path.stat().st_size - cut)
    with Journal(path, head()) as journal:
        assert journal.notes == [f"{path}: its last line is torn and was dropped; that endpoint is checked again"]
        assert ("key 0" in journal, "key 1" in journal) == (True, False)
        journal.add("key 1", verdict)
    with Journal(path, head()) as journal:
        assert journal.notes == []
        assert len(journal) == 2


def test_a_damaged_line_is_said_and_the_others_are_kept(verdict: Verdict, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, head()) as journal:
        for at in range(3):
            journal.add(f"key {at}", verdict)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + b"x" + lines[2] + lines[3])
    with Journal(path, head()) as journal:
        assert [key for key in ("key 0", "key 1", "key 2") if key in journal] == ["key 0", "key 2"]
        assert len(journal.notes) == 1
        assert "damaged" in journal.notes[0]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (head_of(plan(), [shipped("apple-ats")], b"endpoints"), "a run with other policies"),
        (head_of(plan(), [MDM, shipped("apple-ats")], b"endpoints"), "a run with other policies"),
        (head_of(plan(), [MDM], b"others"), "a run with another inventory or other targets"),
        (head_of(plan(seed=1), [MDM], b"endpoints"), "a run with other options"),
        (head_of(plan(http=False), [MDM], b"others"), "another inventory or other targets and other options"),
    ],
)
def test_the_journal_of_another_run_is_refused(other: Head, told: str, verdict: Verdict, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, other) as journal:
        journal.add("key", verdict)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=told):
        Journal(path, head())
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"host,port\n", b"\0" * 100, b"{}\n", b'{"schema":"tlswire.scan/1"}\n', b"\n"])
def test_what_is_no_journal_is_refused_and_left_alone(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is no journal"):
        Journal(path, head())
    assert path.read_bytes() == data


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"schema":"tlswire.journal/2"}\n')
    with pytest.raises(UsageError, match="another version"):
        Journal(path, head())


@pytest.mark.parametrize("length", [0, 1, 20, 100])
def test_a_torn_head_is_an_empty_journal(length: int, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, head()):
        pass
    whole = path.read_bytes()
    os.truncate(path, length)
    with Journal(path, head()) as journal:
        assert len(journal) == 0
    assert path.read_bytes() == whole


def test_a_journal_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        Journal(tmp_path / "nowhere" / "journal", head())
    with pytest.raises(UsageError, match="cannot be opened"):
        Journal(tmp_path, head())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(order=st.permutations(range(8)), unfinished=st.sets(st.integers(0, 7)), lasting=st.booleans())
def test_verdicts_are_given_out_in_the_order_of_their_numbers(
    order: list[int], unfinished: set[int], *, lasting: bool, verdict: Verdict, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    taken: list[str | None] = []
    with Journal(path if lasting else None, head()) as journal:
        shelf = Shelf(journal)
        for number in order:
            shelf.put(number, f"key {number}", several(verdict, 8)[number], finished=number not in unfinished)
            taken += [one.error for one in shelf.take()]
        assert taken == [f"number {at}" for at in range(8)]
        assert not list(shelf.rest())
        assert len(journal) == (8 - len(unfinished) if lasting else 0)


def test_what_is_left_is_given_out_in_order_when_the_rest_never_comes(verdict: Verdict) -> None:
    with Journal() as journal:
        shelf = Shelf(journal)
        for number in (5, 2, 4):
            shelf.put(number, f"key {number}", several(verdict, 8)[number], finished=True)
        assert not list(shelf.take())
        assert [one.error for one in shelf.rest()] == ["number 2", "number 4", "number 5"]
