"""What a policy is: rules as its file says them, conditions ready to be asked.

Must not import anything of tlswire but, of policy, ``terms`` and ``facts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.policy.terms import Term, Value, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Level = Literal["must", "should"]
Need = Literal["every", "any"]
Survey = Literal["sample", "whole"]

# Every rule's id begins with one of these.
CATEGORIES = (
    "version",
    "suite",
    "ems",
    "group",
    "signature-algorithm",
    "key-size",
    "hash",
    "name",
    "validity",
    "eku",
    "chain",
    "plaintext",
    "nodes",
    "tolerance",
    "extension",
    "feature",
    "discovery",
)


def category(name: str) -> str | None:
    """The category a rule's id begins with; None where it begins with none."""
    return next((word for word in CATEGORIES if name == word or name.startswith(f"{word}-")), None)


def _members(value: Value) -> tuple[int | str, ...]:
    return value if isinstance(value, tuple) else (value,)  # type: ignore[return-value] # a float has no sets


# Operator -> (words, whether it takes a list, the test). ``value`` is the field's, ``wanted`` the file's.
OPERATORS: dict[str, tuple[str, bool, Callable[[Value, Value], bool]]] = {
    "is": ("is", False, lambda value, wanted: value == wanted),
    "is-not": ("is not", False, lambda value, wanted: value != wanted),
    "in": ("is one of", True, lambda value, wanted: set(_members(value)) <= set(_members(wanted))),
    "not-in": ("is none of", True, lambda value, wanted: not set(_members(value)) & set(_members(wanted))),
    "has-any": ("has one of", True, lambda value, wanted: bool(set(_members(value)) & set(_members(wanted)))),
    "at-least": ("is at least", False, lambda value, wanted: value >= wanted),  # type: ignore[operator] # one term
    "at-most": ("is at most", False, lambda value, wanted: value <= wanted),  # type: ignore[operator] # as above
    "before": ("is before", False, lambda value, wanted: value < wanted),  # type: ignore[operator] # as above
    "starts-with": ("begins with", False, lambda value, wanted: str(value).startswith(str(wanted))),
}


class Condition(msgspec.Struct, frozen=True):
    """One operator applied to one field."""

    field: str
    operator: str
    wanted: Value
    term: Term

    def holds(self, value: Value | None) -> bool | None:
        """Whether it holds; None where the value is not known."""
        return None if value is None else OPERATORS[self.operator][2](value, self.wanted)

    @property
    def words(self) -> str:
        """The condition as a person says it: ``suite is one of ...``."""
        field = self.field.replace("_", " ")
        if isinstance(self.wanted, bool):
            positive = self.wanted == (self.operator == "is")
            return field if positive else f"not {field}"
        return f"{field} {OPERATORS[self.operator][0]} {told(self.term, self.wanted)}"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One demand on every (or any) subject of a kind for which all of ``when`` holds: that all of one of ``passes`` hold.

    ``fault`` says what a subject does that does not, with fields in braces. ``unless`` are beginnings of ids: the rule
    is only asked where no such rule of level must is broken. ``verified`` tells how sure the source is, as its author
    noted it; ``fix`` names a remedy that can be pasted.
    """

    id: str
    level: Level
    title: str
    of: str
    when: tuple[Condition, ...] = ()
    passes: tuple[tuple[Condition, ...], ...] = ()
    need: Need = "every"
    unless: tuple[str, ...] = ()
    fault: str = ""
    source: str
    verified: str = ""
    remedy: str
    fix: str = ""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy: ``edition`` says what it was written from, ``client`` is the profile whose hello decides (empty: a usual
    one), ``survey`` how much is asked of what the server accepts from others, ``exempt`` why it does not cover endpoints,
    by their role.
    """

    name: str
    title: str
    edition: str
    about: str = ""
    client: str = ""
    survey: Survey = "whole"
    exempt: Mapping[str, str] = {}
    rules: tuple[Rule, ...]

    def looks_at(self, kind: str) -> bool:
        """Whether any rule looks at subjects of a kind."""
        return any(rule.of == kind for rule in self.rules)


def fields_of(rule: Rule) -> Mapping[str, Term]:
    """The fields a rule asks for, with their terms."""
    return {condition.field: condition.term for condition in (*rule.when, *(one for way in rule.passes for one in way))}
