from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tlswire.escape import printable
from tlswire.report.markdown import chunks, code, table, text

from .asked import NASTY, every, hostile, scan, verdict

if TYPE_CHECKING:
    from tlswire.report.items import Result

RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
TAGS = {"h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}
FIXES = {"h3", "ul", "li", "pre"}


class Read(HTMLParser):
    """What a browser would make of it: tags, and the texts of the cells of each row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self.inside = True
        elif tag == "br" and self.inside:
            self.rows[-1][-1] += "\n"

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def read(*results: Result) -> Read:
    return Read(RENDERER.render(b"".join(chunks(results)).decode()))


def test_what_is_broken_comes_with_proof_and_remedy() -> None:
    rows = {row[1].partition("\n")[0]: row for row in read(verdict()).rows[1:] if len(row) == 4}
    told = {rule.id: rule.verdict for rule in verdict().rules if rule.verdict in {"fail", "unknown", "warn"}}
    assert {name: row[0] for name, row in rows.items()} == told
    outcome, rule, seen, remedy = rows["validity-825"]
    assert (outcome, seen) == ("fail", "leaf CN=lab.example: is valid for 7305 days")
    assert "KB 103769" in rule
    assert remedy.startswith("Have the certificate issued anew")
    assert [row[0] for row in rows.values()] == sorted(told.values(), key=["fail", "unknown", "warn"].index)


def test_several_targets_have_a_list_of_them_first() -> None:
    rows = read(verdict(), scan()).rows
    assert rows[0] == ["verdict", "target", "by", "rules"]
    assert [row[0] for row in rows[1:3]] == ["fail", "fail"]
    assert [row[2] for row in rows[1:3]] == ["apple-mdm-27", "scan"]


def test_long_evidence_is_cut_and_says_so() -> None:
    suites = [f"TLS_SUITE_{number}" for number in range(20)]
    finding = msgspec.structs.replace(scan().findings[0], suites=suites)
    row = read(msgspec.structs.replace(scan(), findings=[finding])).rows[1]
    assert row[2].split("\n") == [*suites[:8], "and 12 more"]


def test_what_is_to_be_pasted_can_be_copied() -> None:
    pasted = "ssl_protocols TLSv1.2;\n\tssl_ciphers '`x`';"
    fix = msgspec.structs.replace(hostile("a")[1].fixes[0], text=pasted, title="nginx", where="server { }")
    html = RENDERER.render(b"".join(chunks([msgspec.structs.replace(verdict(), fixes=[fix])])).decode())
    blocks = [unescape(block) for block in re.findall(r"<pre><code>(.*?)\n</code></pre>", html, re.DOTALL)]
    assert blocks == ["a", pasted]


def test_a_run_that_was_cut_short_says_so_first() -> None:
    assert b"".join(chunks([scan()], whole=False)).startswith(b"**The run was cut short")


def test_hostile_results_make_no_tag_no_cell_and_no_link() -> None:
    page = read(*every())
    assert page.tags == TAGS | FIXES
    assert not page.attributes
    assert {len(row) for row in page.rows} == {4}
    raw = b"".join(chunks(every()))
    # But for what is to be copied, which stands in fences.
    said = re.sub(rb"(?ms)^  (`{3,})\n.*?^  \1\n", b"", raw)
    assert b"<script" in raw
    assert not [word for word in (b"<script", b"://", b"www.") if word in said]
    assert any(printable(NASTY) in cell for row in page.rows for cell in row)


@given(st.text() | st.text(st.sampled_from("<>&|`*_[]()!~#\\$@:/.w-+=\"'{}\n\r\t 1a")) | st.just(NASTY))
def test_every_text_is_one_cell_that_shows_it(value: str) -> None:
    for made in (text(value), code(value), text("a" + value), f"{code(value)}<br>{text(value)}"):
        page = Read(RENDERER.render("\n".join(table(("x", "y"), [(made, "end")]))))
        assert page.tags <= TAGS
        assert not page.attributes
        assert [len(row) for row in page.rows] == [2, 2]
        assert page.rows[1][1] == "end"
        assert printable(value).strip() in page.rows[1][0]
        assert "://" not in made
