"""Pages in a real browser: Chromium, driven over its DevTools pipe. One browser for all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tlswire.check.survey import judged
from tlswire.policy.shipped import policy_of
from tlswire.report.html import fuzz_page, scans_page, sessions_page, verdicts_page

from .browser import Page, browsing, chromium
from .made import session
from .pages import HOSTILE, poisoned
from .test_html import FAILED, WEAK, at, met, scanned, summed
from .test_html_fuzz import fuzzed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlswire.results import Scan
    from tlswire.results.verdict import Verdict

pytestmark = [
    pytest.mark.stacks,
    pytest.mark.skipif(
        chromium() is None and "TLSWIRE_REQUIRE_STACKS" not in os.environ, reason="no Chromium: apt:chromium"
    ),
]

# What has less contrast than WCAG 2.2 AA wants of texts (1.4.3): 4.5 to 1.
PALE = """
(() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const pale = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest("svg, script")) continue;
    const [one, two] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    if ((one + 0.05) / (two + 0.05) < 4.5) pale.add(`${element.tagName}.${element.className}`);
  }
  return [...pale];
})()
"""
SHOWN = "[...document.querySelectorAll('#targets tbody tr')].filter((row) => !row.hidden).map((row) => row.cells[1].innerText)"
FOCUS = "document.activeElement.id || document.activeElement.innerText"


def policies_say(scan: Scan) -> list[Verdict]:
    return [judged(policy_of(name), scan, []) for name in ("apple-mdm-27", "rfc9325")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    weak, modern = scanned("legacy-mdm", "default"), scanned("modern")
    targets = [at(weak, "192.0.2.10"), at(modern, "192.0.2.9"), at(modern, "198.51.100.1", "other.example.com")]
    (folder / "scans.html").write_bytes(scans_page(targets))
    (folder / "evil.html").write_bytes(scans_page([poisoned(weak), at(weak, HOSTILE, HOSTILE)]))
    said = policies_say(weak)
    (folder / "policies.html").write_bytes(scans_page([weak], [said]))
    (folder / "verdicts.html").write_bytes(verdicts_page([*said, poisoned(said[0])]))
    found = [WEAK, FAILED, session(server_name="a" * 200 + ".example.com"), poisoned(session())]
    (folder / "sessions.html").write_bytes(sessions_page(summed(*found), met(4, name=f"{'long' * 40}.pcap")))
    (folder / "fuzz.html").write_bytes(fuzz_page([fuzzed("wrong-alert", "sni", "alpn", "K2?", "record")]))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    browser.size(1400, 900)
    browser.prefer(color_scheme="light", reduced_motion="reduce")
    yield browser
    assert browser.complaints == []


@pytest.mark.parametrize("name", ["scans", "evil", "policies", "verdicts", "sessions", "fuzz"])
def test_a_page_loads_nothing_and_fits_every_width(page: Page, pages: Path, name: str) -> None:
    url = f"file://{pages}/{name}.html"
    page.requests.clear()
    for width in (1400, 400, 320):
        page.size(width, 900)
        page.open(url)
        assert page.js("document.documentElement.scrollWidth") <= width
    assert set(page.requests) == {url}
    assert page.js("document.scripts.length") == 1


@pytest.mark.parametrize("name", ["scans", "verdicts", "sessions", "fuzz"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(page: Page, pages: Path, name: str, scheme: str) -> None:
    page.prefer(color_scheme=scheme, reduced_motion="reduce")
    page.open(f"file://{pages}/{name}.html")
    page.js("document.getElementById('unfold').click()")
    assert page.js(PALE) == []


def test_tables_are_sorted_by_mouse_and_keyboard(page: Page, pages: Path) -> None:
    page.open(f"file://{pages}/scans.html")
    assert page.js(SHOWN) == ["192.0.2.10", "192.0.2.9", "198.51.100.1"]
    page.js("document.querySelectorAll('#targets thead button')[1].click()")
    assert page.js(SHOWN) == ["192.0.2.9", "192.0.2.10", "198.51.100.1"]  # numbers as numbers
    page.js("document.querySelectorAll('#targets thead button')[1].focus()")
    page.press("Enter")
    assert page.js(SHOWN) == ["198.51.100.1", "192.0.2.10", "192.0.2.9"]
    sorts = "[...document.querySelectorAll('#targets thead th')].map((cell) => cell.getAttribute('aria-sort'))"
    assert page.js(sorts)[:3] == ["none", "descending", "none"]
    page.press("Tab")
    page.press(" ")
    assert page.js(sorts)[:3] == ["none", "none", "ascending"]


def test_cases_are_filtered_in_three_ways_at_once(page: Page, pages: Path) -> None:
    page.open(f"file://{pages}/fuzz.html")
    rows = "[...document.querySelectorAll('#c1-table tbody tr')].filter((row) => !row.hidden)"
    total = page.js(f"{rows}.length")
    page.js("document.querySelector('[data-by=verdict] input[value=deviates]').click()")
    assert page.js(f"[...new Set({rows}.map((row) => row.dataset.verdict))].includes('deviates')") is False
    page.js("document.querySelector('[data-by=group] input[value=alpn]').click()")
    groups = f"[...new Set({rows}.map((row) => row.dataset.group))].sort()"
    assert page.js(groups) == ["keyshare", "record", "sni"]
    page.js("document.querySelector('[data-by=reaction] button').click()")
    assert page.js(f"{rows}.length") == 0
    page.js("document.querySelector('[data-by=reaction] button').click()")
    assert page.js(groups) == ["keyshare", "record", "sni"]
    page.js("document.querySelector('[data-by=group] input[value=alpn]').click()")
    page.js("document.querySelector('[data-by=verdict] input[value=deviates]').click()")
    assert page.js(f"{rows}.length") == total


def test_what_is_sought_is_found_and_what_is_filtered_is_gone(page: Page, pages: Path) -> None:
    page.open(f"file://{pages}/scans.html")
    page.press("/")
    assert page.js(FOCUS) == "search"
    page.type("MDM.example 192.0.2.9")
    assert page.js(SHOWN) == ["192.0.2.9"]
    assert page.js("document.getElementById('found').value").startswith("1 of ")
    page.press("Escape")
    assert len(page.js(SHOWN)) == 3
    page.js("document.querySelector('[data-for=targets] input[value=weak]').click()")
    assert page.js(SHOWN) == ["192.0.2.9", "198.51.100.1"]
    page.js("document.getElementById('search').focus()")
    page.type("192.0.2")
    assert page.js(SHOWN) == ["192.0.2.9"]  # neither undoes the other
    page.js("document.querySelector('[data-for=targets] input[value=weak]').click()")
    assert page.js(SHOWN) == ["192.0.2.10", "192.0.2.9"]


def test_everything_is_reached_with_the_keyboard_and_seen_there(page: Page, pages: Path) -> None:
    page.open(f"file://{pages}/scans.html")
    reached = []
    for _ in range(9):
        page.press("Tab")
        reached.append(page.js(FOCUS))
    assert reached[:4] == ["Skip to the results", "search", "unfold", "theme"]
    assert "mdm.example.com:443" in " ".join(reached) or "Target" in " ".join(reached)
    assert page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_link_to_folded_bytes_unfolds_them(page: Page, pages: Path) -> None:
    page.open(f"file://{pages}/scans.html")
    hidden = "document.getElementById('t1-3').querySelector('pre').checkVisibility()"
    assert page.js(hidden) is False
    page.js("document.querySelector('a[href=\"#t1-3\"]').click()")
    page.until(hidden, value=True)
    page.open("about:blank")
    page.open(f"file://{pages}/scans.html#t1-4")
    assert page.js(hidden.replace("t1-3", "t1-4")) is True


def test_light_and_dark_are_the_systems_until_the_button_says_otherwise(page: Page, pages: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.open(f"file://{pages}/scans.html")
    light = page.js(ground)
    page.prefer(color_scheme="dark")
    dark = page.js(ground)
    assert light != dark
    page.until("document.getElementById('theme').textContent", "Light")
    page.js("document.getElementById('theme').focus()")
    page.press("Enter")
    page.until(ground, light)
    page.until("document.getElementById('theme').textContent", "Dark")
    page.prefer(color_scheme="light")
    page.press("Enter")
    page.until(ground, dark)


def test_everything_is_there_without_javascript(page: Page, pages: Path) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(f"file://{pages}/scans.html")
        tree = page.call("DOM.getDocument", depth=1)["root"]["nodeId"]
        tools = page.call("DOM.querySelector", nodeId=tree, selector=".tools[hidden]")["nodeId"]
        fields = page.call("DOM.querySelectorAll", nodeId=tree, selector="fieldset:not([hidden])")["nodeIds"]
        sections = page.call("DOM.querySelectorAll", nodeId=tree, selector="article section")["nodeIds"]
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert tools
    assert fields == []
    assert len(sections) > 10


def test_a_page_can_be_printed(page: Page, pages: Path) -> None:
    page.prefer(color_scheme="dark")
    page.open(f"file://{pages}/scans.html")
    printed = page.printed()
    assert printed.startswith(b"%PDF-")
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.js("getComputedStyle(document.querySelector('.tools')).display") == "none"
    finally:
        page.call("Emulation.setEmulatedMedia", media="")
