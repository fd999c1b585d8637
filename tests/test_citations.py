"""RFC 9846 is cited by its own numbers.

It begins chapter 4 with the transcript hash and has a new appendix D, so most of what RFC 8446 has in 4.1 to 4.6 and D
stands one further there. What exists in both with another meaning (4.1 to 4.6, 4.2.1 to 4.2.4, 4.3.1, 4.3.2, 4.4.1,
4.4.2, D) and a bare "section 4.2.1" below a docstring that names the RFC cannot be caught here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SOURCES = [
    path
    for folder in ("tlswire", "tests", "docs", "captures", "bench")
    for path in sorted((PROJECT / folder).rglob("*"))
    if path.suffix in {".py", ".md", ".toml", ".json"} and path != Path(__file__)
]
SOURCES += [PROJECT / "README.md", PROJECT / "CHANGELOG.md"]

# The last section below each that has any (.0: it has none): the table of contents, and the fourth level of chapter 4.
_LAST = """
    1.4 2.3 3.8 4.7 4.2.4 4.3.11 4.3.8.2 4.3.11.3 4.4.2 4.5.3 4.5.1.3 4.7.3 5.5 6.2 7.5 7.4.2 8.3 9.3 10.0 11.1 12.2
    A.2 B.4 B.3.5 C.5 D.0 E.5 F.10 F.1.6 F.2.1 F.5.1
"""
SECTIONS = {name.partition(".")[0] for name in _LAST.split()} | {
    f"{above}.{number}"
    for above, _, last in (name.rpartition(".") for name in _LAST.split())
    for number in range(1, int(last) + 1)
}

# "RFC 9846 sections 4.2.3 (echo), 4.3 and appendix E.4", "RFC 9846 4.2.2, 5.1".
_NUMBER = r"(?:\d+(?:\.\d+)*|[A-F](?:\.\d+)*)(?!\w)"
_NAMED = rf"(?:(?:sections?|appendix) )?{_NUMBER}(?: \([^()]*\))?"
_CITATION = re.compile(rf"\b9846 ({_NAMED}(?:(?:,|,? and|,? or| to) {_NAMED})*)")
# Lines of prose and of comments, strings that go on in the next line.
_WRAPPED = re.compile(r'[ \t]*"?\s*\n\s*(?:# ?|f?")?')


def cited(text: str) -> list[str]:
    """The sections of RFC 9846 that ``text`` names, in order."""
    found = _CITATION.findall(_WRAPPED.sub(" ", text))
    return [number for names in found for number in re.findall(rf"\b{_NUMBER}", re.sub(r" \([^()]*\)", "", names))]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("(RFC 9846 4.2.8)", ["4.2.8"]),
        ("RFC 9846 sections 4.1.3, 4.1.4 and 6, RFC 5246 section 7.4", ["4.1.3", "4.1.4", "6"]),
        ("RFC 9846 sections 4.3.9 to 4.3.11 and appendix D.4.", ["4.3.9", "4.3.11", "D.4"]),
        ("RFC 9846 sections 4.1.3 (echo, compression), 4.2 (where)", ["4.1.3", "4.2"]),
        ("RFC 9846 4.2.2, 6.2 (RFC 8446 4.1.2, 6.2); RFC 5246 E.1", ["4.2.2", "6.2"]),
        ("# RFC 9846 section\n    # 4.4.4: why", ["4.4.4"]),
        ('"what RFC 9846 "\n    "4.6.1 allows"', ["4.6.1"]),
        ("Sources: RFC\n9846 sections 2 and\n4.2.", ["2", "4.2"]),
        ("RFC 9846 does not bind; RFC 8446 4.1.4", []),
    ],
)
def test_citations_are_read_in_every_spelling(text: str, numbers: list[str]) -> None:
    assert cited(text) == numbers


def test_no_citation_of_rfc_9846_names_a_section_it_does_not_have() -> None:
    found = {path: cited(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert sum(map(len, found.values())) > 300
    unknown = {str(path.relative_to(PROJECT)): set(numbers) - SECTIONS for path, numbers in found.items()}
    assert {path: numbers for path, numbers in unknown.items() if numbers} == {}
