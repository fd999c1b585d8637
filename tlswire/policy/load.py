"""A policy file (TOML) read into a Policy; whatever is wrong with it is told with file, line and reason.

``[rules.ID]`` has ``level``, ``title``, ``of``, ``when``, ``pass``, ``need``, ``unless``, ``fault``, ``source``,
``verified``, ``remedy`` and ``fix``. A condition is ``field = value``, ``field = [values]`` or ``field = { operator = value }``;
``"@name"`` stands for a list of ``[lists]``. ``pass`` may be a list of tables: any of them will do. ``extends`` takes
another policy's rules in first, ``drops`` leaves some out. The rules come out in the order of their categories.
``[exempt]`` says by role which endpoints the policy does not cover, and why. What policies look at and how one is written
is told in docs/policies.md.
Must not import anything of tlswire but ``errors`` and ``policy``.
"""

from __future__ import annotations

import re
import string
import tomllib
from typing import TYPE_CHECKING, Any, get_args

from tlswire.errors import UsageError
from tlswire.policy.facts import KINDS, SEVERAL
from tlswire.policy.model import (
    CATEGORIES,
    OPERATORS,
    Condition,
    Level,
    Need,
    Policy,
    Rule,
    Survey,
    category,
    fields_of,
)
from tlswire.policy.terms import MAX_NAME, ORDERED, TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlswire.policy.terms import Term, Value

MAX_FILE = 1 << 20
MAX_RULES = 256
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Names of policies may end in an edition: mozilla-modern-5.7.
_NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_HEAD = ("name", "title", "edition", "about", "client", "survey", "extends")
_TEXTS = ("level", "title", "of", "need", "fault", "source", "verified", "remedy", "fix")
_NEEDED = ("level", "title", "of", "pass", "source", "remedy")


class _File:
    """One policy file being read: its name, its text and the place that is looked at, for messages."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()

    def fault(self, reason: str, table: str = "", key: str = "") -> UsageError:
        """The error that says ``reason`` of a key in a table."""
        what = ".".join(part for part in (table, key) if part) or "policy"
        return UsageError(what, reason, f"{self.name}:{self._line(table, key)}")

    def _line(self, table: str, key: str) -> int:
        if key and (own := self._header(f"{table}.{key}" if table else key)) is not None:
            return own + 1
        start = (self._header(table) or 0) if table else 0
        wanted = re.compile(rf"\s*{re.escape(key)}\s*=") if key else None
        for at in range(start, len(self.lines)):
            if at > start and self.lines[at].lstrip().startswith("["):
                break
            if wanted is not None and wanted.match(self.lines[at]):
                return at + 1
        return start + 1

    def _header(self, table: str) -> int | None:
        """Where a table begins, counted from 0; None where it has no header of its own."""
        header = re.compile(rf"\s*\[\[?\s*{re.escape(table)}\s*\]")
        return next((at for at, line in enumerate(self.lines) if header.match(line)), None)


def read_policy(name: str, data: bytes, find: Callable[[str], Policy] | None = None) -> Policy:
    """The policy of a TOML file called ``name``; ``find`` gives those it may extend. Raises UsageError."""
    if len(data) > MAX_FILE:
        raise UsageError(name, f"is larger than {MAX_FILE >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
        written = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(name, f"is not UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), column \d+\)", str(error))
        where = f"{name}:{at[1]}" if at else name
        raise UsageError("policy", f"is no TOML: {re.sub(r' [(]at .*[)]', '', str(error))}", where) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, arrays in arrays without end
        raise UsageError("policy", f"is no TOML that can be read: {str(error)[:80]}", name) from None
    return _policy(_File(name, text), written, find)


def _policy(file: _File, written: dict[str, Any], find: Callable[[str], Policy] | None) -> Policy:
    _keys(file, "", written, _HEAD, ("drops", "exempt", "lists", "rules"), ("name", "title", "edition"))
    if not _NAME.fullmatch(written["name"]) or len(written["name"]) > MAX_NAME:
        raise file.fault("is no name (lower-case letters, digits, hyphens and dots between them)", "", "name")
    base = _base(file, written, find)
    survey = written.get("survey", base.survey if base else "whole")
    if survey not in get_args(Survey):
        raise file.fault(f"is none of {', '.join(get_args(Survey))}", "", "survey")
    rules = {rule.id: rule for rule in base.rules} if base else {}
    for name in _texts(file, "", "drops", written.get("drops", [])):
        if rules.pop(name, None) is None:
            raise file.fault(f"drops {name!r}, which is no rule of {written.get('extends', 'nothing')!r}", "", "drops")
    rules |= _rules(file, _table(file, written, "rules"), _lists(file, _table(file, written, "lists")))
    if not rules:
        raise file.fault("has no rules")
    return Policy(
        name=written["name"],
        title=written["title"],
        edition=written["edition"],
        about=written.get("about", "").strip(),
        client=written.get("client", base.client if base else ""),
        survey=survey,
        exempt={**(base.exempt if base else {}), **_exempt(file, _table(file, written, "exempt"))},
        rules=tuple(sorted(rules.values(), key=lambda rule: CATEGORIES.index(category(rule.id) or ""))),
    )


def _keys(
    file: _File,
    table: str,
    written: dict[str, Any],
    texts: Sequence[str],
    others: Sequence[str],
    needed: Sequence[str],
) -> None:
    """Check that a table has the keys it needs and no unknown ones, and that texts are texts."""
    for key, value in written.items():
        if key not in {*texts, *others}:
            raise file.fault(f"is not known here; known are {', '.join([*texts, *others])}", table, key)
        if key in texts and not isinstance(value, str):
            raise file.fault("is no text", table, key)
    for key in needed:
        if not written.get(key) and written.get(key) != {}:
            raise file.fault(f"{key} is missing", table)


def _base(file: _File, written: dict[str, Any], find: Callable[[str], Policy] | None) -> Policy | None:
    name = written.get("extends")
    if name is None:
        return None
    if find is None:
        raise file.fault("nothing can be extended here", "", "extends")
    try:
        return find(name)
    except UsageError as error:
        raise file.fault(f"{name!r} {error.reason}", "", "extends") from None


def _table(file: _File, written: dict[str, Any], key: str) -> dict[str, Any]:
    value = written.get(key, {})
    if not isinstance(value, dict):
        raise file.fault("is no table", "", key)
    return value


def _exempt(file: _File, written: dict[str, Any]) -> dict[str, str]:
    for role, why in written.items():
        if not isinstance(why, str):
            raise file.fault("is no text", "exempt", role)
    return written


def _lists(file: _File, written: dict[str, Any]) -> dict[str, list[Any]]:
    for key, value in written.items():
        if not isinstance(value, list):
            raise file.fault("is no list", "lists", key)
    return written


def _texts(file: _File, table: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise file.fault("is no list of texts", table, key)
    return tuple(value)


def _rules(file: _File, written: dict[str, Any], lists: Mapping[str, list[Any]]) -> dict[str, Rule]:
    if len(written) > MAX_RULES:
        raise file.fault(f"has {len(written)} rules; {MAX_RULES} are the most", "", "rules")
    return {name: _rule(file, name, value, lists) for name, value in written.items()}


def _rule(file: _File, name: str, written: object, lists: Mapping[str, list[Any]]) -> Rule:
    table = f"rules.{name}"
    if not isinstance(written, dict):
        raise file.fault("is no table", "rules", name)
    if not _ID.fullmatch(name) or len(name) > MAX_NAME or category(name) is None:
        raise file.fault(f"does not begin with its category, one of {', '.join(CATEGORIES)}", table)
    _keys(file, table, written, _TEXTS, ("when", "pass", "unless"), _NEEDED)
    for key, words in (("level", get_args(Level)), ("need", get_args(Need)), ("of", tuple(KINDS))):
        if key in written and written[key] not in words:
            raise file.fault(f"is {written[key]!r}, none of {', '.join(words)}", table, key)
    ways = written["pass"] if isinstance(written["pass"], list) else [written["pass"]]
    rule = Rule(
        id=name,
        when=_conditions(file, (table, "when"), written["of"], written.get("when", {}), lists),
        passes=tuple(_conditions(file, (table, "pass"), written["of"], way, lists) for way in ways),
        unless=_texts(file, table, "unless", written.get("unless", [])),
        **{key: written[key] for key in _TEXTS if key in written},
    )
    _check_fault(file, table, rule)
    for word in rule.unless:
        if category(word) is None:
            raise file.fault(f"{word!r} begins with no category: {', '.join(CATEGORIES)}", table, "unless")
    if rule.need == "every" and not all(rule.passes):
        raise file.fault("asks nothing", table, "pass")
    if not fields_of(rule):
        raise file.fault("asks nothing", table, "pass")
    return rule


def _check_fault(file: _File, table: str, rule: Rule) -> None:
    """Nothing but fields in braces: format strings can do more, and a file may be a stranger's."""
    try:
        parts = list(string.Formatter().parse(rule.fault))
    except ValueError as error:
        raise file.fault(f"has braces that do not match: {error}", table, "fault") from None
    for _, field, spec, conversion in parts:
        if field is not None and (field not in KINDS[rule.of] or spec or conversion):
            raise file.fault(f"names {{{field}}}, which is no field of {rule.of}", table, "fault")


def _conditions(
    file: _File, place: tuple[str, str], kind: str, written: object, lists: Mapping[str, list[Any]]
) -> tuple[Condition, ...]:
    """The conditions of one table, at ``place``, on subjects of a kind."""
    if not isinstance(written, dict):
        raise file.fault("is no table", *place)
    terms = KINDS[kind]
    found = []
    for field, value in written.items():
        if field not in terms:
            raise file.fault(f"{field!r} is no field of {kind}; its fields are {', '.join(terms)}", *place)
        asked = value if isinstance(value, dict) else {"in" if _many(value) else "is": value}
        for operator, wanted in asked.items():
            if operator not in OPERATORS:
                raise file.fault(f"{operator!r} is no operator; known are {', '.join(OPERATORS)}", *place)
            meant = _meant(file, place, lists, wanted)
            if OPERATORS[operator][1] is not isinstance(meant, list):
                takes = "a list" if OPERATORS[operator][1] else "one value"
                raise file.fault(f"{field} {operator} takes {takes}", *place)
            if not _fits(operator, field, terms[field]):
                raise file.fault(f"{field} has no operator {operator!r}", *place)
            found.append(Condition(field, operator, _read(file, place, field, terms[field], meant), terms[field]))
    return tuple(found)


def _fits(operator: str, field: str, term: Term) -> bool:
    """Whether an operator makes sense of a field: order of numbers and times, beginnings of texts, sets of lists."""
    if field in SEVERAL:
        return OPERATORS[operator][1]
    if operator in {"at-least", "at-most", "before"}:
        return term in ORDERED
    return operator != "starts-with" or term in TEXTS


def _meant(file: _File, place: tuple[str, str], lists: Mapping[str, list[Any]], wanted: object) -> object:
    """What stands in the file, or the list it names."""
    if not (isinstance(wanted, str) and wanted.startswith("@")):
        return wanted
    if wanted[1:] not in lists:
        raise file.fault(f"{wanted!r} is none of the lists", *place)
    return lists[wanted[1:]]


def _read(file: _File, place: tuple[str, str], field: str, term: Term, meant: object) -> Value:
    try:
        return tuple(map(term.read, meant)) if isinstance(meant, list) else term.read(meant)  # type: ignore[arg-type] # lists hold codes and texts
    except UsageError as error:
        raise file.fault(f"{field}: {error.what} {error.reason}", *place) from None


def _many(value: object) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and value.startswith("@"))
