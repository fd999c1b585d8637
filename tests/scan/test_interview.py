from __future__ import annotations

import importlib
import inspect

import pytest

from tlswire.errors import LookupFailedError
from tlswire.lab import server as lab
from tlswire.results.answers import Answers
from tlswire.results.answers.base import QuestionAnswer
from tlswire.scan.interview import chosen
from tlswire.scan.questions import QUESTIONS, Question
from tlswire.scan.scanner import Options

from .scans import scan


@pytest.mark.parametrize("row", QUESTIONS.values(), ids=str)
def test_every_question_has_its_four_places(row: Question) -> None:
    question = importlib.import_module(f"tlswire.scan.questions.{row.name}")
    assert inspect.iscoroutinefunction(question.ask)
    answer = importlib.import_module(f"tlswire.results.answers.{row.name}")
    models = [value for value in vars(answer).values() if inspect.isclass(value) and issubclass(value, QuestionAnswer)]
    assert any(model is not QuestionAnswer for model in models)
    report = importlib.import_module(f"tlswire.report.answers.{row.name}")
    assert report.TITLE
    assert callable(report.lines)


def test_answers_has_a_field_for_every_question() -> None:
    assert set(Answers.__struct_fields__) == set(QUESTIONS)


def test_every_question_belongs_to_all_or_to_attacks_and_says_how_much_it_costs() -> None:
    assert all({"all", "attacks"}.intersection(row.sets) for row in QUESTIONS.values())
    assert not any({"all", "attacks"} <= set(row.sets) for row in QUESTIONS.values())
    assert all(row.most or row.needs for row in QUESTIONS.values())


def test_sets_and_names_give_each_question_once_and_needs_before_who_needs_them() -> None:
    names = chosen(["all", "groups", "all"])
    assert len(names) == len(set(names))
    assert all(names.index(need) < names.index(name) for name in names for need in QUESTIONS[name].needs)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(LookupFailedError, match="did you mean groups"):
        chosen(["group"])


def test_a_question_that_is_last_sees_what_the_others_heard() -> None:
    with lab.running("modern") as server:
        alone = scan(server.port, Options(method="eliminate", questions=chosen(["ephemeral"])))
        together = scan(server.port, Options(method="eliminate", questions=chosen(["ephemeral", "groups"])))
    few, many = alone.answers.ephemeral, together.answers.ephemeral
    assert few is not None
    assert many is not None
    assert few.randoms is not None
    assert many.randoms is not None
    assert together.answers.groups is not None
    assert many.randoms.seen >= few.randoms.seen + len(together.answers.groups.versions[0].groups)
    assert many.connections < few.connections


def test_nobody_waits_for_a_question_that_waits_for_him() -> None:
    waited_for = {row.name for row in QUESTIONS.values() if not row.last and not row.needs}
    for row in QUESTIONS.values():
        assert not (row.last and row.needs)
        assert row.name not in waited_for or not any(QUESTIONS[need].last for need in row.needs)
