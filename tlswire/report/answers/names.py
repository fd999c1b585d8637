"""The answer to ``names`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from textwrap import shorten, wrap
from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.names import NameAnswer, Names

TITLE = "Server names"
_KINDS = {
    "own": "its own name",
    "none": "no name",
    "unknown": "an unknown name",
    "address": "an address",
    "dot": "a trailing dot",
    "upper": "upper case",
    "long": "255 bytes",
    "empty": "an empty name",
}
_WIDTH, _LONGEST, _NAME = 106, 90, 32


def lines(answer: Names, *, verbose: bool) -> Iterator[Line]:
    """A line for all names that get the same; with ``verbose`` one a name, and the certificates."""
    subjects = {
        leaf.sha256: leaf.subject or "".join(leaf.names[:1]) or "a certificate without names"
        for leaf in answer.certificates
    }
    groups: dict[str, list[str]] = {}
    for name in answer.names:
        groups.setdefault(_outcome(name, subjects), []).append(_label(name))
    for outcome, labels in groups.items():
        category = "unknown" if outcome.startswith("unknown") else ""
        for text in wrap(f"{outcome}:  {', '.join(labels)}", _WIDTH, subsequent_indent="  "):
            yield Line(text, category)
    if answer.strict:
        yield Line("strict: whoever knows no name of this server gets no certificate")
    if not verbose:
        return
    for name in answer.names:
        known = ", server_name acknowledged" if name.acknowledged else ""
        warned = f", warns {', '.join(name.warnings)}" if name.warnings else ""
        yield Line(
            f"  {_KINDS[name.kind]:<16}  {_sent(name):<32}  {shorten(name.answer, 40, placeholder=' ...')}{known}{warned}"
        )
    for leaf in answer.certificates:
        yield Line(f"  {leaf.sha256}  {shorten(leaf.subject or '', 40, placeholder='...')}")
        yield Line(f"    for {shorten(', '.join(leaf.names), _LONGEST, placeholder=' ...') or 'no name'}")


def _sent(name: NameAnswer) -> str:
    if name.sent is None:
        return "(not sent)"
    return f"{name.sent[:29]}..." if len(name.sent) > _NAME else name.sent or "(empty)"


def _label(name: NameAnswer) -> str:
    return _sent(name) if name.kind == "own" else _KINDS[name.kind]


def _outcome(name: NameAnswer, subjects: dict[str, str]) -> str:
    if name.certificate is None:
        return f"{name.outcome}: {name.answer}"
    subject = shorten(subjects.get(name.certificate, name.certificate), _LONGEST, placeholder="...")
    return f"{subject}, with the warning {', '.join(name.warnings)}" if name.warnings else subject
