"""One direction of a connection, decrypted as it goes: bytes in, messages out, keys changed between two messages.

Records are framed, bounded and put together by ``wire.records.Deframer``, one for each epoch: before keys it sees what
came, after keys it sees the plaintext in records of the inner type. So its faults are the faults of both.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire.records`` and ``crypto.protection``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tlswire.errors import WireError
from tlswire.registry import CONTENT_TYPES
from tlswire.wire.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    MAX_CIPHERTEXT,
    MAX_EMPTY_RECORDS,
    Deframer,
    Message,
    fragment,
    in_clear,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.crypto.protection import Protection

# RFC 9846 section 5 lets a peer send them and sets no bound; honest ones send one or two.
MAX_CHANGE_CIPHER_SPECS = 16
_TYPES = range(20, 28)  # as the Deframer has them


class RecordStream:
    """Messages of one direction; ``protect`` sets the keys of the records that follow.

    Peer faults do not raise: ``error`` holds the WireError and everything after it is ignored. Where records are
    protected its offset is that of the record's first byte (path ``record.protected``: the record does not open).
    Application data comes out record by record, as messages without a type. The offset of a message that was protected
    is that of the body of the record it begins in.

    ``opened`` tells whether the record of the message given last was protected.

    ``admit`` is given the first bytes (2 to 5, all of a header but its end may be missing) of each record in clear before
    the rest of it is waited for, and raises WireError for what is not to be read; that is the ``error`` then.

    ``forgive`` is how many bytes of records may fail to open under new keys before the first that does: what a server
    skips of early data it rejected (RFC 9846 section 4.3.10). ``skipped`` counts such records.
    """

    __slots__ = (
        "_admit",
        "_began",
        "_buffer",
        "_change_cipher_specs",
        "_consumed",
        "_deframer",
        "_empties",
        "_forgivable",
        "_forgive",
        "_max_message",
        "_protection",
        "_ready",
        "error",
        "opened",
        "skipped",
    )

    def __init__(
        self, *, max_message: int = 1 << 18, forgive: int = 0, admit: Callable[[bytes], None] | None = None
    ) -> None:
        self._admit = admit
        self.error: WireError | None = None
        self.opened = False
        self.skipped = 0
        self._max_message = max_message
        self._forgive = forgive
        self._forgivable = 0
        self._buffer = bytearray()
        self._consumed = 0
        self._ready: deque[Message] = deque()
        self._protection: Protection | None = None
        self._deframer = Deframer(max_message=max_message)
        self._began = 0
        self._empties = 0
        self._change_cipher_specs = 0

    @property
    def protected(self) -> bool:
        """Whether the next record must be protected."""
        return self._protection is not None

    @property
    def aligned(self) -> bool:
        """Whether the message given last ended its record, and none is begun."""
        return not self._ready and not self._deframer.pending

    @property
    def position(self) -> int:
        """Bytes of the records read so far."""
        return self._consumed

    @property
    def early(self) -> bool:
        """Whether what comes next looks as if it were under keys that were not set: data, or what stands behind a
        ChangeCipherSpec and is no hello.
        """
        buffer, at = self._buffer, 0
        if self._ready or self._protection is not None or not buffer:
            return False
        while buffer[at : at + 1] == b"\x14":
            at += 6
        content, begun = buffer[at] if at < len(buffer) else 0, buffer[at + 5 : at + 11]
        return buffer[0] == APPLICATION_DATA or (at > 0 and not in_clear(content, begun))

    @property
    def pending(self) -> int:
        """Bytes held back because their record or message is not complete, or because nobody asked for them."""
        return len(self._buffer) + self._deframer.pending

    @property
    def missing(self) -> int:
        """Bytes that the record whose header came still needs; 0 between records."""
        buffer = self._buffer
        if len(buffer) < 5 or buffer[0] & 0x80:
            return 0
        return 5 + int.from_bytes(buffer[3:5], "big") - len(buffer)

    def give_up(self) -> tuple[list[Message], tuple[int, int, int, bytes] | None]:
        """Nothing more will come: as ``Deframer.give_up``, of what stands in clear; nothing of what is protected."""
        if self._protection is not None or self.error is not None:
            return [], None
        self._deframer.feed(bytes(self._buffer))
        return self._deframer.give_up()

    def protect(self, protection: Protection, *, forgive: int | None = None) -> None:
        """From the next record on, open with these keys; ``forgive`` as for the class, for these keys alone.

        A message that is not complete by now, or more messages in the record read last, are the peer's fault: none
        may go over a change of keys (RFC 9846 section 5.1).
        """
        if self._ready or self._deframer.pending:
            self._ready.clear()
            self._fail("a handshake message goes over a change of keys (RFC 9846 5.1)", "record.type", self._began)
        self._protection = protection
        self._deframer = Deframer(max_message=self._max_message)
        self._forgivable = self._forgive if forgive is None else forgive

    def feed(self, data: bytes) -> Iterator[Message]:
        """Messages completed by ``data``, each made when it is asked for; what is not asked for waits."""
        if self.error is None:
            self._buffer += data
        return self._messages()

    def _messages(self) -> Iterator[Message]:
        while True:
            while self._ready:
                yield self._ready.popleft()
            try:
                size = self._size()
            except WireError as error:
                self._end(error)
                return
            if not size:
                return
            record = bytes(self._buffer[:size])
            del self._buffer[:size]
            at = self._consumed
            self._consumed += size
            self._ready.extend(self._take(record, at))

    def _size(self) -> int:
        """Bytes of the next record, or as many as the Deframer needs to say what is wrong with it; 0 to wait.

        Raises WireError for what is not admitted.
        """
        buffer = self._buffer
        if len(buffer) < 2:
            return 0
        if self._admit is not None and self._protection is None:
            self._admit(bytes(buffer[:5]))
        if buffer[0] & 0x80:  # SSLv2
            size = 2 + (int.from_bytes(buffer[:2], "big") & 0x7FFF)
        elif buffer[0] not in _TYPES:
            size = 2
        elif len(buffer) < 5:
            return 0
        else:
            length = int.from_bytes(buffer[3:5], "big")
            size = 5 if length > MAX_CIPHERTEXT else 5 + length
        return size if len(buffer) >= size else 0

    def _take(self, record: bytes, at: int) -> list[Message]:
        """The messages that end with this record, which begins at ``at``."""
        protection = self._protection
        self.opened = False
        if protection is None:
            return self._deframe(record, at)
        kind, version, body = record[0], int.from_bytes(record[1:3], "big"), record[5:]
        if kind not in _TYPES or len(body) != int.from_bytes(record[3:5], "big"):
            return self._no_record(record, at)
        if protection.tls13 and kind == CHANGE_CIPHER_SPEC:
            return self._change_cipher_spec(body, at)
        if protection.tls13 and kind == ALERT and len(body) == 2:
            # Too short to be protected: from a peer that gives up before it has keys. It says so, and proves nothing.
            return self._deframe(record, at)
        try:
            content, plain = protection.open(kind, version, body)
        except WireError as error:
            return self._unopened(error, len(record), at)
        self._forgivable = 0
        self.opened = True
        if content not in _TYPES or (protection.tls13 and content == CHANGE_CIPHER_SPEC):
            return self._fail(f"content type {CONTENT_TYPES[content].name} in a protected record", "record.type", at)
        if content == APPLICATION_DATA and not plain:
            return self._empty(at)
        self._empties = 0
        return self._deframe(fragment(content, version, plain), at)

    def _deframe(self, record: bytes, at: int) -> list[Message]:
        deframer = self._deframer
        begun = self._began if deframer.pending else at
        found = deframer.feed(record)
        self._began = at if found else begun
        error = deframer.error
        if self._protection is None:  # the Deframer sees the stream itself: its offsets are right
            if error is not None:
                self._end(error)
            return found
        if error is not None:
            self._fail(error.reason, error.path, at)
        return [
            Message(message.content, message.version, message.type, message.body, (at if place else begun) + 5)
            for place, message in enumerate(found)
        ]

    def _no_record(self, record: bytes, at: int) -> list[Message]:
        deframer = Deframer()
        deframer.feed(record)
        sslv2 = WireError("an SSLv2 record where records are protected", "record.type", 0)
        self._end((deframer.error or sslv2).moved(at))
        return []

    def _change_cipher_spec(self, body: bytes, at: int) -> list[Message]:
        """RFC 9846 section 5: dropped, if it is one byte 01."""
        self._change_cipher_specs += 1
        if body != b"\x01":
            return self._fail(f"ChangeCipherSpec of {len(body)} bytes, not one 01 (RFC 9846 5)", "record.type", at)
        if self._change_cipher_specs > MAX_CHANGE_CIPHER_SPECS:
            return self._fail(f"more than {MAX_CHANGE_CIPHER_SPECS} ChangeCipherSpecs", "record.type", at)
        return []

    def _unopened(self, error: WireError, size: int, at: int) -> list[Message]:
        if size > self._forgivable:
            return self._fail(error.reason, error.path, at)
        self._forgivable -= size
        self.skipped += 1
        return []

    def _empty(self, at: int) -> list[Message]:
        # Some senders of TLS 1.0 put an empty record before every other, against BEAST: only a row of them is a flood.
        self._empties += 1
        if self._empties > MAX_EMPTY_RECORDS:
            return self._fail(f"more than {MAX_EMPTY_RECORDS} empty records in a row", "record.length", at)
        return []

    def _fail(self, reason: str, path: str, at: int) -> list[Message]:
        self._end(WireError(reason, path, at))
        return []

    def _end(self, error: WireError) -> None:
        self.error = error
        self._buffer.clear()
