"""What the options of ``tlswire scan`` hold, as values. Every fault is a UsageError or click's own; nothing is sent."""

from __future__ import annotations

import fnmatch
import math

import click

from tlswire.errors import LookupFailedError, UsageError
from tlswire.registry import SSLV2_KINDS, SUITES, VERSIONS
from tlswire.scan.scanner import VERSIONS_SCANNED

CATEGORIES = ("weak", "legacy", "no-forward-secrecy", "misplaced", "fault", "info")
_SHORT_NAMES = {
    "1.0": "TLS 1.0",
    "1.1": "TLS 1.1",
    "1.2": "TLS 1.2",
    "1.3": "TLS 1.3",
    "ssl2": "SSLv2",
    "ssl3": "SSLv3",
}


class Seconds(click.FloatRange):
    """A range of finite numbers: NaN compares as neither below nor above anything."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for anything else."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def parse_versions(text: str | None) -> tuple[int, ...]:
    """The version codes of ``TLS1.2,1.3``; None means all six. Raises UsageError."""
    if text is None:
        return VERSIONS_SCANNED
    found = set()
    for name in _words(text, "--versions"):
        row = VERSIONS.find(_SHORT_NAMES.get(name.lower(), name))
        if row.code not in VERSIONS_SCANNED:
            raise UsageError(repr(name), "is no version this scan can offer", "--versions")
        found.add(row.code)
    return tuple(sorted(found))


def parse_questions(text: str | None, *, attacks: bool) -> tuple[str, ...]:
    """The questions of ``groups,certificates`` or of sets, each before who needs it. Raises UsageError."""
    words = ([] if text is None else _words(text, "--questions")) + ["attacks"] * attacks
    if not words:
        return ()
    from tlswire.scan.interview import chosen  # noqa: PLC0415 - results of questions load with it

    return chosen(words)


def parse_suites(text: str | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The suite codes and the SSLv2 kinds of a list of names, codes and patterns. Raises UsageError."""
    codes: dict[int, None] = {}
    kinds: dict[int, None] = {}
    for word in _words(text, "--suites") if text is not None else ():
        if any(char in word for char in "*?["):
            pattern = word.upper()
            hits = {row.code: None for row in SUITES if _matches(row.name, row.openssl_name, pattern)}
            hit_kinds = {row.code: None for row in SSLV2_KINDS if _matches(row.name, row.openssl_name, pattern)}
            if not hits and not hit_kinds:
                raise UsageError(repr(word), "matches no suite", "--suites")
            codes |= hits
            kinds |= hit_kinds
        elif word.upper().startswith("SSL_CK_"):
            kinds[SSLV2_KINDS.find(word).code] = None
        else:
            try:
                codes[SUITES.find(word).code] = None
            except LookupFailedError as error:
                raise UsageError(error.what, error.reason, "--suites") from None
    return tuple(codes), tuple(kinds)


def _matches(name: str, openssl_name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name.upper(), pattern) or fnmatch.fnmatchcase(openssl_name.upper(), pattern)


def parse_categories(text: str) -> frozenset[str]:
    """The finding categories of ``--fail-on``. Raises UsageError."""
    words = frozenset(_words(text, "--fail-on")) if text else frozenset()
    for word in words.difference(CATEGORIES):
        raise UsageError(repr(word), f"is none of {', '.join(CATEGORIES)}", "--fail-on")
    return words


def _words(text: str, where: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError(repr(text), "names nothing", where)
    return words
