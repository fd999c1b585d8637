"""Policy files: what is wrong with one is told with file, line and reason, and nothing else comes of any bytes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.errors import UsageError
from tlswire.policy.facts import KINDS
from tlswire.policy.load import MAX_FILE, read_policy
from tlswire.policy.model import OPERATORS
from tlswire.policy.shipped import policy_of, shipped

GOOD = """\
name = "own"
title = "Own"
edition = "1"

[lists]
few = ["TLS_AES_128_GCM_SHA256"]

[rules.suite-few]
level = "must"
title = "Few suites"
of = "suite"
when = { version = "TLS 1.3" }
pass = { suite = "@few" }
fault = "accepts {suite}"
unless = ["version"]
source = "us"
remedy = "Less."
"""


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


# What is wrong with the file, its text, the line that is named, a part of the reason.
BROKEN = {
    "no TOML": ("name = \n", 1, "is no TOML"),
    "a table twice": (GOOD + "[lists]\n", 18, "is no TOML"),
    "no name": (changed('name = "own"\n', ""), 1, "name is missing"),
    "an empty name": (changed('"own"', '""'), 1, "name is missing"),
    "a name with capitals": (changed('"own"', '"Own"'), 1, "is no name"),
    "a name that is a number": (changed('"own"', "7"), 1, "is no text"),
    "a key nobody knows": (changed('edition = "1"', 'edition = "1"\ncolour = "red"'), 4, "is not known here"),
    "a survey nobody knows": (changed('edition = "1"', 'edition = "1"\nsurvey = "half"'), 4, "none of sample, whole"),
    "no rules": (GOOD[: GOOD.index("[rules")], 1, "has no rules"),
    "rules that are no table": (GOOD[: GOOD.index("[lists")] + "rules = 3\n", 5, "is no table"),
    "lists that are no table": ("lists = 1\n" + GOOD.replace("[lists]\nfew =", "# few ="), 1, "is no table"),
    "exemptions that are no table": ('exempt = "scep"\n' + GOOD, 1, "is no table"),
    "an exemption without a reason": (GOOD + "[exempt]\nscep = true\n", 19, "is no text"),
    "a list that is none": (changed('["TLS_AES_128_GCM_SHA256"]', '"x"'), 6, "is no list"),
    "a rule that is no table": (GOOD + "[rules]\nsuite-x = 1\n", 19, "is no table"),
    "no category": (changed("suite-few]", "few-suites]"), 8, "does not begin with its category"),
    "capitals in an id": (changed("suite-few]", "suite-Few]"), 8, "does not begin with its category"),
    "a level nobody knows": (changed('"must"', '"shall"'), 9, "none of must, should"),
    "a need nobody knows": (changed('of = "suite"', 'need = "most"\nof = "suite"'), 11, "none of every, any"),
    "a kind nobody knows": (changed('of = "suite"', 'of = "cipher"'), 11, "none of attempt"),
    "no source": (changed('source = "us"\n', ""), 8, "source is missing"),
    "no pass": (changed('pass = { suite = "@few" }\n', ""), 8, "pass is missing"),
    "a pass that asks nothing": (changed('{ suite = "@few" }', "{}"), 13, "asks nothing"),
    "a pass that is a text": (changed('{ suite = "@few" }', '"suite"'), 13, "is no table"),
    "a field of another kind": (changed("{ version =", "{ trusted ="), 12, "'trusted' is no field of suite"),
    "an operator nobody knows": (changed('{ suite = "@few" }', "{ bits = { over = 128 } }"), 13, "is no operator"),
    "order where there is none": (changed('{ suite = "@few" }', "{ aead = { at-least = true } }"), 13, "no operator"),
    "the beginning of a number": (changed('{ suite = "@few" }', '{ bits = { starts-with = "1" } }'), 13, "no operator"),
    "one value for a list": (changed('"@few"', "{ in = 1 }"), 13, "takes a list"),
    "a list for one value": (changed('"@few"', "{ is = [1] }"), 13, "takes one value"),
    "a list nobody made": (changed('"@few" }', '"@many" }'), 13, "is none of the lists"),
    "a version nobody knows": (changed('"TLS 1.3"', '"TLS 7"'), 12, "not in the table of versions"),
    "a suite nobody knows": (changed('["TLS_AES', '["XLS_AES'), 13, "did you mean"),
    "a text for a truth": (changed('{ suite = "@few" }', '{ aead = "yes" }'), 13, "is no truth value"),
    "a truth for a number": (changed('{ suite = "@few" }', "{ bits = true }"), 13, "is no number"),
    "a code of a suite as a number": (changed('"@few"', "4865"), 13, "is no name of a code point"),
    "a word no field has": (changed('{ version = "TLS 1.3" }', '{ offer = "all" }'), 12, "is none of client"),
    "a fault with a field of another kind": (changed("{suite}", "{trusted}"), 14, "is no field of suite"),
    "a fault with a format": (changed("{suite}", "{suite:>9999999999}"), 14, "is no field of suite"),
    "a fault that looks inside": (changed("{suite}", "{suite.__class__}"), 14, "is no field of suite"),
    "a fault with one brace": (changed("{suite}", "{suite"), 14, "braces that do not match"),
    "unless of nothing": (changed('["version"]', '["colour"]'), 15, "begins with no category"),
    "unless that is a text": (changed('["version"]', '"version"'), 15, "is no list of texts"),
    "extends nobody": (changed('edition = "1"', 'edition = "1"\nextends = "nobody"'), 4, "is no policy"),
    "drops what is not there": (
        changed('edition = "1"', 'edition = "1"\nextends = "apple-ats"\ndrops = ["suite-x"]'),
        5,
        "which is no rule of 'apple-ats'",
    ),
    "a time that is a text": (
        GOOD[: GOOD.index("of =")]
        + 'of = "certificate"\npass = { not_before = "2020-01-01" }\nsource = "us"\nremedy = "x"\n',
        12,
        "is no date or time",
    ),
    "one value of several": (
        GOOD[: GOOD.index("of =")]
        + 'of = "connection"\npass = { certificate_schemes = "ed25519" }\nsource = "us"\nremedy = "x"\n',
        12,
        "has no operator 'is'",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_its_line_and_the_reason(name: str) -> None:
    text, line, reason = BROKEN[name]
    with pytest.raises(UsageError) as caught:
        read_policy("own.toml", text.encode(), shipped)
    assert caught.value.where == f"own.toml:{line}"
    assert reason in str(caught.value)


def test_the_file_all_those_are_made_from_is_good() -> None:
    policy = read_policy("own.toml", GOOD.encode())
    (rule,) = policy.rules
    assert (rule.id, rule.level, rule.need, rule.unless) == ("suite-few", "must", "every", ("version",))
    assert [condition.words for condition in rule.when] == ["version is TLS 1.3"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"#" * (MAX_FILE + 1), "is larger than"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"a = " + b"[" * 100_000, "no TOML"),
        (b"a = " + b"9" * 5_000, "no TOML"),
        (GOOD.encode() + b"".join(b"[rules.suite-%d]\n" % at for at in range(300)), "256 are the most"),
    ],
)
def test_a_file_that_wants_too_much_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read_policy("own.toml", data)


def test_a_time_without_an_offset_is_utc_and_one_out_of_the_calendar_is_refused() -> None:
    rule = GOOD[: GOOD.index("of =")] + 'of = "certificate"\nsource = "us"\nremedy = "x"\npass = { not_before = %s }\n'
    (found,) = read_policy("own.toml", (rule % "2020-09-01T12:00:00").encode()).rules
    assert found.passes[0][0].wanted == "2020-09-01T12:00:00Z"
    with pytest.raises(UsageError, match="before the year 1"):
        read_policy("own.toml", (rule % "0001-01-01T00:00:00+12:00").encode())


def test_rules_come_in_the_order_of_their_categories_whatever_file_they_are_of() -> None:
    later = GOOD + GOOD[GOOD.index("[rules") :].replace("suite-few", "version-x").replace('= ["version"]', "= []")
    assert [rule.id for rule in read_policy("own.toml", later.encode()).rules] == ["version-x", "suite-few"]


def test_a_file_is_told_from_a_name_by_its_ending(tmp_path: Any) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD)
    assert policy_of(str(path)).name == "own"
    with pytest.raises(UsageError, match="is no policy; shipped are"):
        policy_of("mozilla-modern-9.9")
    with pytest.raises(UsageError, match="cannot be read"):
        policy_of(str(tmp_path / "none.toml"))


def _readable(data: bytes) -> None:
    try:
        read_policy("own.toml", data, shipped)
    except UsageError:
        return


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_and_never_crash(data: bytes) -> None:
    _readable(data)


_WORDS = st.sampled_from(
    [*KINDS, *OPERATORS, *re.findall(r"[\w@-]+", GOOD), "pass", "when", "true", "1", "2020-01-01", "{", "}", "[", "]"]
)


@given(st.lists(st.tuples(st.integers(0, len(GOOD)), _WORDS), min_size=1, max_size=4), st.randoms())
def test_a_file_with_words_put_in_or_left_out_is_read_or_refused(edits: list[tuple[int, str]], rng: Any) -> None:
    text = GOOD
    for at, word in edits:
        end = at + rng.randrange(12)
        text = text[:at] + word + text[end:]
    _readable(text.encode())


def test_exemptions_are_taken_from_a_policy_that_is_extended() -> None:
    text = changed('edition = "1"', 'edition = "1"\nextends = "apple-mdm-27"') + '[exempt]\nmdm = "elsewhere"\n'
    policy = read_policy("own.toml", text.encode(), shipped)
    assert set(policy.exempt) == {"mdm", "scep", "content-cache"}
    assert "KB 126655" in policy.exempt["scep"]
