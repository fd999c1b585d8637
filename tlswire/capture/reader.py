"""Captures in, sessions out: the face of this room.

``sessions`` is what scripts use; ``Reading`` also tells what was met on the way. Must not import anything of tlswire
but ``errors``, ``results`` and the rest of ``capture``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tlswire.capture.decrypted import Secrets
from tlswire.capture.files import open_capture
from tlswire.capture.streams import Streams

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from tlswire.capture.assemble import Found
    from tlswire.capture.files import Capture
    from tlswire.crypto.keylog import KeyLog
    from tlswire.results.session import Session


class Reading:
    """One capture being read: iterate once for its sessions, then look at what was met on the way."""

    def __init__(self, capture: Capture, buckets: frozenset[int] | None = None, keylog: KeyLog | None = None) -> None:
        self._capture = capture
        self._streams = Streams(capture.name, buckets, Secrets(keylog, capture.secrets))

    @property
    def name(self) -> str:
        """The capture's name as shown to people."""
        return self._capture.name

    @property
    def size(self) -> int:
        """Bytes of the file, 0 where unknown."""
        return self._capture.size

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        return self._capture.position

    @property
    def frames(self) -> int:
        """Packets read."""
        return self._capture.frames

    @property
    def damage(self) -> list[str]:
        """What is broken in the file and where, one line each."""
        return self._capture.damage

    @property
    def ignored(self) -> Counter[str]:
        """Packets that hold no TCP or UDP segment we can read, by reason."""
        return self._streams.counts.ignored

    @property
    def flows(self) -> int:
        """TCP connections and UDP flows met."""
        return self._streams.counts.flows

    @property
    def evicted(self) -> int:
        """Flows given up because the table was full."""
        return self._streams.counts.evicted

    @property
    def encrypted_only(self) -> int:
        """Connections with TLS records whose handshake came before the capture."""
        return self._streams.counts.encrypted_only

    def __iter__(self) -> Iterator[Found]:
        """The sessions, as they are complete."""
        return self._streams.follow(self._capture)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.__exit__(None, None, None)


def open_reading(
    path: str | Path | BinaryIO, buckets: frozenset[int] | None = None, keylog: KeyLog | None = None
) -> Reading:
    """Begin to read a capture; ``-`` is stdin. Raises UsageError for what is no capture."""
    return Reading(open_capture(path), buckets, keylog)


def sessions(path: str | Path | BinaryIO, *, keylog: KeyLog | str | bytes | None = None) -> Iterator[Session]:
    """Every TLS, DTLS and QUIC session of a capture, streamed. Raises UsageError for what is no capture.

    ``keylog`` holds secrets in the format of SSLKEYLOGFILE (RFC 9850): its text, or what ``parse_keylog`` made of it.
    """
    if isinstance(keylog, str | bytes):
        from tlswire.crypto.keylog import parse_keylog  # noqa: PLC0415 - few captures have one

        keylog = parse_keylog(keylog)
    with open_reading(path, keylog=keylog) as reading:
        for found in reading:
            yield found.session
