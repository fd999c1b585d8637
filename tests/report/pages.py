"""What every page of ours must be, told by the standard library's parser; and values full of hostile text."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import re
from html.parser import HTMLParser
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from tlswire.escape import printable

T = TypeVar("T")

HOSTILE = "</pre></script><script>alert(1)</script>\"'><img src=//x onerror=alert(1)>=cmd()|' /C calc'!A1\x1b[31m\u202e\x00{{7*7}}\u2028&#60;"
_VOID = {"meta", "input", "br", "rect", "path", "line", "img", "link"}
# What code of ours looks up in its tables, and no peer ever says.
_OURS = {"category", "starttls"}


class Element:
    """One element: its name, its attributes, and those it stands in."""

    def __init__(self, tag: str, attributes: dict[str, str | None], above: tuple[Element, ...]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.above = above
        self.text = ""

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def within(self, tag: str) -> bool:
        return any(element.tag == tag for element in self.above)


class Document(HTMLParser):
    """A page as its elements in order; texts belong to all that they stand in."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.unbalanced: list[str] = []
        self._open: list[Element] = []
        self.source = page.decode("utf-8")
        self.feed(self.source)
        self.close()
        self.unbalanced += [element.tag for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {tag} {attrs}"
        element = Element(tag, dict(attrs), tuple(self._open))
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.unbalanced.append(f"/{tag}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def one(self, tag: str) -> Element:
        (element,) = self.all(tag)
        return element

    @property
    def title(self) -> str:
        """That of the page: pictures have titles, too."""
        (title,) = [element for element in self.all("title") if element.within("head")]
        return title.text

    @property
    def text(self) -> str:
        return self.one("main").text


def checked(page: bytes) -> Document:
    """The page, after everything that holds for all of ours."""
    document = Document(page)
    assert document.unbalanced == []
    assert document.one("html").get("lang") == "en"
    assert document.title.strip()
    _check_closed(document)
    _check_accessible(document)
    # Whatever cannot be printed is told as an escape, in texts and in attributes.
    for element in document.elements:
        for value in element.attributes.values():
            assert value is None or value.isprintable(), (element.tag, value)
    assert all(char.isprintable() or char in "\n\t" for char in document.source)
    return document


def _check_closed(document: Document) -> None:
    """Nothing can load, nothing runs but our script."""
    (policy,) = [meta.get("content") or "" for meta in document.all("meta") if meta.get("http-equiv")]
    hashes = [_hash(document.one(tag).text) for tag in ("style", "script")]
    assert policy == (
        f"default-src 'none'; style-src '{hashes[0]}'; script-src '{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )
    used = {element.tag for element in document.elements}
    assert not used & {"img", "link", "iframe", "object", "embed", "form", "base", "image", "use", "video", "audio"}
    for element in document.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), name
            assert name not in {"style", "src", "srcset", "action", "data", "xlink:href", "formaction"}, name
            if name == "href":
                assert re.fullmatch(r"#[a-z0-9-]+", value or ""), value
    style = document.one("style").text
    assert not re.search(r"url\(|@import|expression", style)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _check_accessible(document: Document) -> None:
    ids = [value for element in document.elements if (value := element.get("id")) is not None]
    assert len(ids) == len(set(ids))
    for element in document.elements:
        for name in ("aria-labelledby", "for", "data-for"):
            if (value := element.get(name)) is not None:
                assert value in ids, f"{name} of {element.tag}: nothing is called {value}"
        if (link := element.get("href")) is not None:
            assert link[1:] in ids, link
    for table in document.all("table"):
        parts = [element for element in document.elements if table in element.above]
        (caption,) = [element for element in parts if element.tag == "caption"]
        assert caption.text.strip()
        headings = [element for element in parts if element.tag == "th"]
        assert headings
        assert all(heading.get("scope") in {"col", "row"} for heading in headings)
    labels = {label.get("for") for label in document.all("label")}
    for control in document.all("input", "select", "textarea"):
        assert control.within("label") or control.get("id") in labels or control.get("aria-label")
    for button in document.all("button", "summary", "a"):
        assert button.text.strip() or button.get("aria-label")
    for picture in document.all("svg"):
        assert picture.get("aria-hidden") == "true" or (picture.get("role") == "img" and picture.get("aria-label"))
    levels = [int(element.tag[1]) for element in document.elements if re.fullmatch(r"h[1-6]", element.tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for scrolling in (element for element in document.elements if element.get("class") == "scroll"):
        assert (scrolling.get("tabindex"), scrolling.get("role")) == ("0", "region")
        assert scrolling.get("aria-label")


def poisoned(result: T) -> T:
    """``result`` with hostile text behind every string that may be any."""
    poison: T = _poison(result)
    return poison


def _poison(value: Any, hint: Any = Any) -> Any:
    if isinstance(value, msgspec.Struct):
        hints = get_type_hints(type(value))
        fields = {name: getattr(value, name) for name in value.__struct_fields__ if name not in _OURS}
        return msgspec.structs.replace(value, **{name: _poison(old, hints[name]) for name, old in fields.items()})
    if isinstance(value, (list, tuple)):
        inner = next(iter(get_args(hint)), Any)
        return type(value)(_poison(member, inner) for member in value)
    if isinstance(value, str):
        with contextlib.suppress(msgspec.ValidationError):  # where only a few words may stand
            return msgspec.convert(value + HOSTILE, hint)
    return value


def holds_hostile(document: Document) -> None:
    """The hostile text is there, as text."""
    assert printable(HOSTILE) in document.text
    assert len(document.all("script")) == 1
    assert "49" not in {element.text.strip() for element in document.all("span", "td", "p")}
