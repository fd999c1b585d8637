"""``tlswire schema``: the published JSON Schemas, and that they say something."""

from __future__ import annotations

import json

import pytest

from tlswire.results import SCHEMAS

from .run import refused, run

jsonschema = pytest.importorskip("jsonschema")  # it has no types of its own


def test_without_a_name_the_formats_are_listed() -> None:
    outcome = run("schema")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.lines == list(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one(name: str) -> None:
    outcome = run("schema", name)
    assert (outcome.code, outcome.err) == (0, "")
    schema = json.loads(outcome.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == name
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({"schema": name})
    short = name.removeprefix("tlswire.")
    assert run("schema", short).raw == run("schema", short.partition("/")[0]).raw == outcome.raw


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tlswire.scam/1", "'tlswire.scam/1': no such schema; did you mean tlswire.scan/1?"),
        ("tlswire.scan/999", "did you mean tlswire.scan/1?"),
        ("", "'': no such schema; there are tlswire.scan/1"),
        ("\x1b[2J\n", r"'\x1b[2J\n': no such schema"),
    ],
)
def test_unknown_names_are_refused(name: str, says: str) -> None:
    assert says in refused(run("schema", name))
