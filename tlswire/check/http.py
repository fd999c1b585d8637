"""One GET over a connection that is there, and what its answer says: status, where it redirects to, HSTS.

The grammar of HTTP/1.1 is h11's. Sans-IO and bounded by what a Client keeps. Sources: RFC 9112, RFC 9110 section 10.2.2
(Location), RFC 6797 section 6.1. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from tlswire import __version__
from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.policy.facts import Subject
from tlswire.results.verdict import Hop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlswire.policy.terms import Value

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# So much of a header is shown.
MAX_SHOWN = 1024
_HSTS = re.compile(r'max-age\s*=\s*"?(\d{1,18})', re.IGNORECASE)


def url_of(host: str, port: int, path: str, *, scheme: str = "https") -> str:
    """The URL of a path, without the port that everybody knows."""
    name = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}[scheme]
    return f"{scheme}://{name}{'' if port == usual else f':{port}'}{path}"


def path_of(text: str) -> str:
    """The path a user wants to be asked for: absolute, printable ASCII without blanks. Raises UsageError."""
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"path {text!r}", "is none: write /path, other characters as %XX")
    return text


def request(url: str) -> bytes:
    """A GET of ``url`` that lets the server close."""
    import h11  # noqa: PLC0415 - only checks over HTTP need it

    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [("Host", parts.netloc), ("User-Agent", f"tlswire/{__version__}"), ("Accept", "*/*")]
    client = h11.Connection(h11.CLIENT)
    said = client.send(h11.Request(method="GET", target=target, headers=[*headers, ("Connection", "close")]))
    return (said or b"") + (client.send(h11.EndOfMessage()) or b"")


class Response:
    """The answer to a GET: ``hop`` tells of it, ``body`` is what came of the content."""

    def __init__(self, url: str, data: bytes) -> None:
        self.body = b""
        self.hop = self._read(url, data)

    def _read(self, url: str, data: bytes) -> Hop:
        import h11  # noqa: PLC0415 - as above

        shown = printable(url)
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "-")]))
        client.send(h11.EndOfMessage())
        if not data:
            return Hop(url=shown, problem="no answer to the request")
        try:
            client.receive_data(data)
            client.receive_data(b"")
            event = client.next_event()
            while isinstance(event, h11.InformationalResponse):
                event = client.next_event()
            if not isinstance(event, h11.Response):
                return Hop(url=shown, problem="no answer to the request")
            self._content(client)
        except h11.RemoteProtocolError as error:
            return Hop(url=shown, problem=f"is no HTTP/1.1: {printable(str(error))}")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        return _hop(url, event.status_code, headers)

    def _content(self, client: object) -> None:
        import h11  # noqa: PLC0415 - as above

        try:
            while isinstance(event := client.next_event(), h11.Data):  # type: ignore[attr-defined] # h11's, loaded here
                self.body += bytes(event.data)
        except h11.RemoteProtocolError:
            return  # cut short: the bound, or a server that closed early


def _hop(url: str, status: int, headers: Mapping[str, str]) -> Hop:
    location = headers.get("location")
    hsts = _HSTS.search(headers.get("strict-transport-security", ""))
    where = None if location is None or status not in REDIRECTS else joined(url, location)
    return Hop(
        url=printable(url),
        status=status,
        location=None if where is None else printable(where[:MAX_SHOWN]),
        content_type=_shown(headers.get("content-type")),
        server=_shown(headers.get("server")),
        hsts_seconds=None if hsts is None else int(hsts[1]),
    )


def _shown(text: str | None) -> str | None:
    return None if text is None else printable(text[:MAX_SHOWN])


def joined(url: str, location: str) -> str:
    """Where a Location of an answer to ``url`` leads; as it stands where it is no URL."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def subjects(hop: Hop, node: str) -> list[Subject]:
    """An answer over HTTP as policies see it; none where there was no answer."""
    if hop.status is None:
        return []
    location = hop.location or ""
    values: dict[str, Value | None] = {
        "url": hop.url,
        "plain": hop.url.startswith("http:"),
        "status": hop.status,
        "redirects": hop.location is not None,
        "redirects_to_plain": location.lower().startswith("http:"),
        "content_type": hop.content_type or "",
        "hsts_seconds": hop.hsts_seconds or 0,
    }
    notes = {"redirects_to_plain": f"to {location}"} if location else {}
    return [Subject("http", f"GET {hop.url}", values, node=node, notes=notes)]
