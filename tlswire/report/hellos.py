"""ClientHellos as files of hex that ``tlswire decode`` and ``tlswire hello --from`` read.

``text`` writes one, ``HelloFolder`` keeps each distinct one once and overwrites nothing. Must not import anything of
tlswire but ``errors``, ``wire``, ``results`` and ``report``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tlswire.errors import UsageError, WireError
from tlswire.escape import printable
from tlswire.report.table import counted, endpoint, moment
from tlswire.wire.dtls import parse_dtls_client_hello
from tlswire.wire.dumps import read_input
from tlswire.wire.handshake import CLIENT_HELLO, CLIENT_HELLO_BODY, encode_handshake
from tlswire.wire.primitives import build
from tlswire.wire.records import sslv2_record

if TYPE_CHECKING:
    from pathlib import Path

    from tlswire.results.session import Hello, Session

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_LINE = 64


def file_name(hello: Hello, digits: int = 8) -> str:
    """``ja4-sha256.hex``, the second with ``digits`` digits; what has no JA4 is called by its kind."""
    kind = hello.ja4 or ("sslv2" if hello.record_version == "0x0002" else "broken")
    return f"{_UNSAFE.sub('_', kind)}-{hello.sha256[:digits]}.hex"


def text(session: Session, hello: Hello, message: bytes) -> str:
    """The file of one hello: where it comes from as comments, then its bytes."""
    data, form = _replayable(session, hello, message)
    name = "none" if hello.server_name is None else hello.server_name
    comments = [
        f"ClientHello, {form}, {len(data)} bytes",
        f"capture: {session.capture}",
        f"frame: {hello.frame}" + (f", session begun {moment(session.start)}" if session.start else ""),
        f"from: {endpoint(session.client)} to {endpoint(session.server)} ({session.transport})",
        f"server name: {name}",
        f"ja4: {hello.ja4 or 'none'}",
        f"sha256 of its body: {hello.sha256}",
    ]
    digits = data.hex()
    lines = [f"# {printable(comment)}" for comment in comments]
    lines += [digits[at : at + _LINE] for at in range(0, len(digits), _LINE)]
    return "\n".join(lines) + "\n"


def _replayable(session: Session, hello: Hello, message: bytes) -> tuple[bytes, str]:
    """The bytes in a form that says by itself what it is."""
    if hello.record_version == "0x0002":
        return sslv2_record(message), "SSLv2 record"
    if session.transport == "dtls":
        try:
            value, cookie = parse_dtls_client_hello(message[4:])
            data = encode_handshake(CLIENT_HELLO, build(CLIENT_HELLO_BODY, value, "client_hello"))
        except WireError:
            return message, "DTLS handshake message that does not follow its grammar"
        return data, f"DTLS handshake message in the form of TLS (cookie left out: {cookie.hex() or 'empty'})"
    return message, "handshake message"


class HelloFolder:
    """A folder that holds every hello once. Raises UsageError where it cannot be written."""

    # Randoms differ, so nearly every hello is distinct; a folder with more files helps nobody.
    limit = 1 << 16

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0
        self.there = 0  # of the same bytes, from before
        self.full = False
        self._seen: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(str(folder), f"cannot be written: {error.strerror or error}", "--export-hellos") from None

    def add(self, hello: Hello, content: str) -> None:
        """Write the file of ``hello`` unless it is there; a name that another file has is made longer."""
        if hello.sha256 in self._seen:
            return
        if len(self._seen) >= self.limit:
            self.full = True
            return
        self._seen.add(hello.sha256)
        for digits in (8, 64):
            path = self.folder / file_name(hello, digits)
            try:
                with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(content)
            except FileExistsError:
                if _same(path, content):
                    self.there += 1
                    return
            except OSError as error:
                raise UsageError(
                    str(path), f"cannot be written: {error.strerror or error}", "--export-hellos"
                ) from None
            else:
                self.written += 1
                return
        raise UsageError(str(path), "is another file; name another folder", "--export-hellos")

    def notes(self) -> list[str]:
        """What was written, for the report."""
        there = f", {self.there:,} were there before" if self.there else ""
        more = f"; there are more than {self.limit:,}, the rest was left out" if self.full else ""
        return [f"{counted(self.written, 'hello')} written to {self.folder}{there}{more}"]


def _same(path: Path, content: str) -> bool:
    """Whether a file holds the same hello, whatever its comments say."""
    try:
        with path.open("rb") as file:
            there = file.read(len(content) + (1 << 16))
        return read_input(there) == read_input(content.encode())
    except (OSError, UsageError):
        return False
