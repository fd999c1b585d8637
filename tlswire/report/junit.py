"""Scans and verdicts as JUnit XML: a testsuite a target, a testcase a rule or finding, for the test pages of CI systems.

JUnit has no standard; this is the part that Jenkins, GitLab and GitHub's actions agree on. What is broken is a failure,
what stayed unknown an error (the test could not be carried out), what does not apply is skipped; a warning passes, with
its text as output, for it is not to stop a pipeline, and so does what is unknown of a rule that could only warn. Must not import anything of tlswire but ``report`` and ``results``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from tlswire.report.items import sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.report.items import Item, Result, Sheet

_CUT = b"""\
  <testsuite name="run" tests="1" failures="0" errors="1" skipped="0">
    <testcase classname="run" name="complete"><error message="The run was cut short" type="unknown"/></testcase>
  </testsuite>
"""
# The element a testcase holds; that of the others is its output, if anything.
_ELEMENTS = {"fail": "failure", "unknown": "error", "skip": "skipped"}


def chunks(results: Iterable[Result], *, whole: bool = True) -> Iterator[bytes]:
    """The file, a piece a result; not ``whole``: there should be more. Items hold nothing but printable characters, and
    XML may hold all of those.
    """
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="tlswire">\n'
    told: set[tuple[str, str]] = set()
    for result in results:
        of = sheet(result)
        # A name's addresses change, and with them the history of its testcases: only the second has its own in the name.
        name = f"{of.judge} {of.where if (of.judge, of.label) in told else of.label}"
        told.add((of.judge, of.label))
        yield "".join(f"{line}\n" for line in _suite(of, name)).encode()
    if not whole:
        yield _CUT
    yield b"</testsuites>\n"


def _suite(of: Sheet, name: str) -> Iterator[str]:
    counts = Counter(map(_element, of.items))
    yield (
        f"  <testsuite name={quoteattr(name)} hostname={quoteattr(of.host)} timestamp={quoteattr(of.started)}"
        f' tests="{len(of.items)}" failures="{counts["failure"]}" errors="{counts["error"]}"'
        f' skipped="{counts["skipped"]}" time="{of.elapsed:.3f}">'
    )
    for item in of.items:
        yield from _case(item, name)
    yield "  </testsuite>"


def _case(item: Item, suite: str) -> Iterator[str]:
    # GitLab shows the class name as the suite, and tells testcases apart by both names.
    start = f"    <testcase classname={quoteattr(suite)} name={quoteattr(item.name)}"
    element = _element(item)
    if item.outcome == "pass":
        yield f"{start}/>"
    elif element is None:
        yield f"{start}><system-out>{escape(f'{item.outcome}: {_text(item)}')}</system-out></testcase>"
    else:
        message = f"message={quoteattr(item.title)}"
        kind = "" if element == "skipped" else f' type="{item.outcome}"'
        yield f"{start}><{element} {message}{kind}>{escape(_text(item))}</{element}></testcase>"


def _element(item: Item) -> str | None:
    return None if item.outcome == "unknown" and not item.must else _ELEMENTS.get(item.outcome)


def _text(item: Item) -> str:
    labelled = (("remedy", item.remedy), ("source", item.source))
    return "\n".join((item.title, *item.evidence, *(f"{label}: {text}" for label, text in labelled if text)))
