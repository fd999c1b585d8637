"""What a hello could still get of a server that speaks only what a policy allows.

Such a server is derived from the rules: everything it could choose of a hello (version, suite, group, extended master
secret, signature scheme) is judged as the session that would come of it; what breaks a rule of level must is not chosen,
what breaks one of level should only for want of better. Its certificate is one the client takes. Sources: RFC 9846
section 4.3, RFC 5246 section 7.4.3, RFC 8422 section 4. Must not import anything of tlswire but ``registry``, ``results``
and ``policy``.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

from tlswire.policy.engine import verdicts
from tlswire.policy.facts import Facts
from tlswire.policy.observed.handshakes import TLS12, TLS13, group_parts, scheme_parts
from tlswire.policy.observed.sessions import (
    MASTER_SECRET,
    SSLV2,
    choice_subjects,
    choice_values,
    schemes_of,
    signed,
    versions_of,
)
from tlswire.policy.sessions import MAX_REMEMBERED, asked_of_sessions
from tlswire.registry import GROUPS, SCHEMES, SUITES, VERSIONS, hex_code
from tlswire.registry.ratings import suite_row
from tlswire.results.what_if import Choice, Prospect

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tlswire.policy.model import Policy
    from tlswire.policy.terms import Value
    from tlswire.results.session import Hello

_NEGOTIATED = frozenset({"connection", "version", "suite", "group", "scheme", "extension"})
_GROUPS = 10
_P256 = 0x0017
_CURVES, _FINITE = frozenset({"ec", "xdh", "ec-binary"}), frozenset({"ffdhe"})
# The families of schemes that the key of a suite's certificate can make (RFC 5246 section 7.4.3, RFC 8422 section 5.10).
_FAMILIES = {"RSA": {"rsa-pkcs1", "rsa-pss"}, "ECDSA": {"ecdsa", "eddsa"}, "DSS": {"dsa"}}
_NO_SUITES = frozenset({"SCSV", "NULL", ""})
_WIRE = {TLS12: "0xFEFD", TLS13: "0xFEFC", 0x0302: "0xFEFF"}

Values = dict[str, "Value | None"]
# Version (as TLS), suite, group, scheme, and whether the master secret is an extended one.
Pick = tuple[int, int, "int | None", "int | None", bool]
C = TypeVar("C", bound="int | None")
V = TypeVar("V")


class WhatIf:
    """What becomes of hellos under one policy; hellos that offer the same are looked at once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._rules = tuple(
            rule for rule in asked_of_sessions(policy) if rule.need == "every" and rule.of in _NEGOTIATED
        )
        self._conditions = [
            condition for rule in self._rules for part in (rule.when, *rule.passes) for condition in part
        ]
        self._known: dict[Hashable, Prospect] = {}
        self._faults: dict[Hashable, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._kinds: dict[Hashable, Hashable] = {}

    def __call__(self, hello: Hello | None, transport: str = "tcp") -> Prospect:
        """What a server that keeps the policy would choose of a hello, or the rules that stand in its way."""
        if hello is None or hello.partial:
            return Prospect(None)
        key = (
            transport == "dtls",
            hello.legacy_version,
            tuple(hello.versions),
            tuple(hello.suites),
            tuple(hello.groups),
            tuple(hello.signature_schemes),
            MASTER_SECRET in hello.extensions,
            _GROUPS in hello.extensions,
        )
        known = self._known.get(key)
        if known is None:
            known = self._prospect(hello, datagrams=transport == "dtls")
            _keep(self._known, key, known)
        return known

    def _prospect(self, hello: Hello, *, datagrams: bool) -> Prospect:
        why: tuple[str, ...] = ()
        second: tuple[Pick, tuple[str, ...]] | None = None
        for version in sorted(versions_of(hello), reverse=True):
            faults: list[tuple[str, ...]] = []
            for pick, kind in self._picks(hello, version):
                broken, warnings = self._judged(pick, kind)
                if not broken and not warnings:
                    return Prospect(_choice(pick, datagrams=datagrams))
                if not broken and second is None:
                    second = pick, warnings
                faults.append(broken)
            # The highest version says it best: below it, its being old comes on top.
            if faults and not why:
                always = tuple(name for name in faults[0] if all(name in others for others in faults))
                why = always or sorted(faults, key=len)[0]  # noqa: FURB192 - mypy takes len for one of Iterable
        if second is not None:
            return Prospect(_choice(second[0], datagrams=datagrams), (), second[1])
        return Prospect(None, why)

    def _judged(self, pick: Pick, kind: Hashable) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The rules of level must and of level should that a choice breaks, the same for all of its kind."""
        known = self._faults.get(kind)
        if known is None:
            found = verdicts(self._rules, Facts(list(choice_subjects(_values(pick)))))
            broken = tuple(name for name, verdict in found.items() if verdict == "fail")
            known = broken, tuple(name for name, verdict in found.items() if verdict == "warn")
            _keep(self._faults, kind, known)
        return known

    def _picks(self, hello: Hello, version: int) -> Iterator[tuple[Pick, Hashable]]:
        """What a server could choose in a version, in the client's order, each with its kind; of what the policy does
        not tell apart the first only.
        """
        bound = [True] if version >= TLS13 else [True, False] if MASTER_SECRET in hello.extensions else [False]
        for suite_kind, suite in self._unlike("suite", version, _suites(hello, version)).items():
            groups = self._unlike("group", version, _groups(hello, version, suite))
            schemes = self._unlike("scheme", version, _schemes(hello, version, suite))
            for (group_kind, group), extended, (scheme_kind, scheme) in product(groups.items(), bound, schemes.items()):
                pick = version, suite, group, scheme, extended
                yield pick, (version, suite_kind, group_kind, scheme_kind, extended)

    def _unlike(self, part: str, version: int, codes: Sequence[C]) -> dict[Hashable, C]:
        """The first of the codes of each kind: those of a kind work alike, and every condition says the same of them."""
        first: dict[Hashable, C] = {}
        for code in codes:
            key = part, version, code
            kind = self._kinds.get(key)
            if kind is None:
                values = _PARTS[part](version, code)
                told = tuple(one.holds(values[one.field]) for one in self._conditions if one.field in values)
                kind = values.get("key_exchange"), values.get("authentication"), code is None, told
                _keep(self._kinds, key, kind)
            first.setdefault(kind, code)
        return first


def _keep(table: dict[Hashable, V], key: Hashable, value: V) -> None:
    """Remember a value; a table that is full begins anew."""
    if len(table) >= MAX_REMEMBERED:
        table.clear()
    table[key] = value


def _scheme_values(scheme: int | None) -> Values:
    return scheme_parts(scheme, () if scheme is None else (scheme,), signed=False)


_PARTS: dict[str, Callable[[int, Any], Values]] = {
    "suite": lambda version, suite: choice_values(version, suite, None, bound=None),
    "group": lambda _, group: group_parts(group),
    "scheme": lambda _, scheme: _scheme_values(scheme),
}


def _values(pick: Pick) -> Values:
    version, suite, group, scheme, extended = pick
    return {
        **choice_values(version, suite, group, bound=extended),
        **_scheme_values(scheme),
        "certificate_scheme_offered": True,
        "secure_renegotiation": True,
        "compression": False,
    }


def _suites(hello: Hello, version: int) -> list[int]:
    codes = dict.fromkeys(int(text, 16) for text in hello.suites)
    if version == SSLV2:
        return [code for code in codes if suite_row(version, code).status != "unknown"]
    return [code for code in codes if code <= 0xFFFF and _speaks(version, code)]


def _speaks(version: int, code: int) -> bool:
    row = SUITES[code]
    if row.status in {"unknown", "grease"} or row.kex in _NO_SUITES:
        return False
    return VERSIONS.find(row.min_version).code <= version <= VERSIONS.find(row.max_version).code


def _groups(hello: Hello, version: int, suite: int) -> list[int | None]:
    """The groups a server could exchange keys in; None where the suite needs none, or one that has no name."""
    offered = [int(text, 16) for text in hello.groups]
    if version >= TLS13:
        return [code for code in offered if GROUPS[code].tls13 and GROUPS[code].status not in {"unknown", "grease"}]
    kex = "" if version == SSLV2 else SUITES[suite].kex
    if kex == "ECDHE":
        curves = [code for code in offered if GROUPS[code].tls12 and GROUPS[code].kind in _CURVES]
        return [*curves] if _GROUPS in hello.extensions else [_P256]
    finite: list[int | None] = [code for code in offered if GROUPS[code].kind in _FINITE] if kex == "DHE" else []
    return finite or [None]


def _schemes(hello: Hello, version: int, suite: int) -> list[int | None]:
    """The schemes a server could sign with; None where it does not, or where the version has no choice."""
    if version < TLS12 or (version < TLS13 and not signed(suite)):
        return [None]
    rows = [SCHEMES[code] for code in schemes_of(hello)]
    if version >= TLS13:
        return [row.code for row in rows if row.tls13 == "Y"] if hello.signature_schemes else []
    families = _FAMILIES.get(SUITES[suite].auth, set())
    return [row.code for row in rows if row.family in families and row.tls13 != "client-only"]


def _choice(pick: Pick, *, datagrams: bool) -> Choice:
    version, suite, group, scheme, extended = pick
    code = _WIRE.get(version, VERSIONS.hex(version)) if datagrams else VERSIONS.hex(version)
    row = suite_row(version, suite)
    return Choice(
        code,
        VERSIONS[int(code, 16)].name,
        hex_code(suite, 6 if version == SSLV2 else 4),
        row.name,
        None if group is None else GROUPS.hex(group),
        None if group is None else GROUPS[group].name,
        None if scheme is None else SCHEMES.hex(scheme),
        None if scheme is None else SCHEMES[scheme].name,
        extended,
    )
