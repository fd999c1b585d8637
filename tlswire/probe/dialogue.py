"""Dialogues as data: what to say, where a reply ends, whether it lets us go on; and the interpreter that runs them.

Sans-IO and bounded: a dialogue is a tuple of ``Step``, whoever it is spoken with (``starttls``, ``proxy``). What the
peer says is a result here, never an exception. Must not import anything of tlswire but ``wire.cursor``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tlswire.wire.cursor import escaped

# Every dialogue is over long before; who talks longer is not answering.
MAX_HEARD = 1 << 15
MAX_LINES = 256
# How much of a reply is told.
_TOLD_LINES, _TOLD = 3, 200

# The length of the first whole reply in these bytes, of which so many were seen before and did not suffice (so that
# bytes that come one by one are not searched all over again each time); 0: more is needed; NEVER: no reply begins so.
Whole = Callable[[bytes, int], int]
NEVER = -1
# Why a whole reply does not let us go on, "" when it does.
Judge = Callable[[bytes], str]


def accept(_: bytes) -> str:
    """A judge that lets every reply pass."""
    return ""


class Step(NamedTuple):
    """One thing to say, then one reply to wait for (``whole`` None: none is awaited).

    ``say`` may be made of the reply before; None skips the step. ``offers`` is a pattern that a reply which offers TLS
    holds: without it the dialogue goes on, but that is told. ``shown`` stands in records for what holds a secret.
    """

    say: bytes | Callable[[bytes], bytes | None]
    whole: Whole | None = None
    judge: Judge = accept
    offers: bytes = b""
    shown: bytes | None = None


class Talk:
    """One dialogue under way. ``ready`` when all was said and heard, ``refusal`` says why it came to nothing; ``no`` is
    how it begins where the peer understood us.

    ``said`` is what was said so far as (whether by us, bytes) pairs, ``offered`` whether TLS was offered where a
    protocol offers it. ``secrets`` are kept out of all that is told, also when the peer repeats them.
    """

    def __init__(
        self, protocol: str, steps: tuple[Step, ...], *, no: str = "refuses", secrets: tuple[bytes, ...] = ()
    ) -> None:
        self.protocol = protocol
        self.no = no
        self.ready = False
        self.refusal = ""
        self.offered = True
        self.last = b""
        self.secrets = secrets
        self.said: list[tuple[bool, bytes]] = []
        self._steps = steps
        self._at = -1
        self._buffer = bytearray()
        self._out = bytearray()
        self._heard = 0
        self._seen = 0
        self._next()

    def feed(self, data: bytes) -> bool:
        """Take bytes as they came; True when the dialogue is over, one way or the other."""
        self._buffer += data
        while not self.ready and not self.refusal and self._reply():
            self._next()
        return self.ready or bool(self.refusal)

    def to_send(self) -> bytes:
        """What is to be sent now, each byte once."""
        out = bytes(self._out)
        self._out.clear()
        return out

    @property
    def rest(self) -> bytes:
        """What came and belongs to no reply: once ``ready``, what follows the dialogue."""
        return bytes(self._buffer)

    @property
    def heard(self) -> bytes:
        """The last that was heard, whole reply or not, without secrets."""
        return self._hide(self.rest or self.last)

    def transcript(self) -> list[tuple[bool, bytes]]:
        """Everything said and heard so far, without secrets; not what follows the dialogue."""
        if self.ready or not self._buffer:
            return self.said
        return [*self.said, (False, self._hide(self.rest))]

    def _hide(self, words: bytes) -> bytes:
        for secret in self.secrets:
            words = words.replace(secret, b"***")
        return words

    def _next(self) -> None:
        """Say what is to be said, up to the next reply to wait for."""
        while True:
            self._at += 1
            if self._at == len(self._steps):
                self.ready = True
                return
            step = self._steps[self._at]
            words = step.say if isinstance(step.say, bytes) else step.say(self.last)
            if words is None:
                continue
            if words:
                self._out += words
                self.said.append((True, words if step.shown is None else step.shown))
            if step.whole is not None:
                return

    def _reply(self) -> bool:
        """Whether a whole reply was heard that lets us go on."""
        step = self._steps[self._at]
        buffer = bytes(self._buffer)
        if not buffer or step.whole is None:
            return False
        if not self._heard and (like_tls := begins_tls(buffer)) is not False:
            if like_tls:
                self.refusal = f"speaks TLS from the first byte, there is no {self.protocol} dialogue"
            return False
        length = step.whole(buffer, self._seen)
        self._seen = 0 if length else len(buffer)
        if length == NEVER:
            self.refusal = f"does not speak {self.protocol}: {told(self._hide(buffer))}"
            return False
        reply = buffer[:length] if length else buffer
        if self._heard + len(reply) > MAX_HEARD or reply.count(b"\n") > MAX_LINES:
            self.refusal = f"talks on without an end to its {self.protocol} reply: {told(self._hide(reply)[:_TOLD])}"
            return False
        if not length:
            return False
        self.last = reply
        self._heard += length
        del self._buffer[:length]
        self.said.append((False, self._hide(reply)))
        if step.judge(reply):
            # Judged as it came, told as it may be told.
            why = step.judge(self._hide(reply)) or "(hidden)"
            self.refusal = f"{self.no}: {why}{'' if self.offered else ' (it was not offered)'}"
            return False
        if step.offers:
            self.offered = re.search(step.offers, self.last, re.IGNORECASE | re.MULTILINE) is not None
        return True


def begins_tls(data: bytes) -> bool | None:
    """Whether these bytes begin a TLS alert or handshake record; None while that cannot be told."""
    if data[:1] not in {b"\x15", b"\x16"}:
        return False
    if len(data) >= 5:
        return re.match(rb"\x15\x03[\x00-\x04]\x00\x02|\x16\x03[\x00-\x04]", data) is not None
    return None if re.fullmatch(rb".(?:\x03(?:[\x00-\x04].?)?)?", data, re.DOTALL) else False


def told(reply: bytes) -> str:
    """The last lines of a reply, printable, in one line that is never empty."""
    lines = [escaped(line.strip()) for line in reply.splitlines() if line.strip()]
    text = " / ".join(lines[-_TOLD_LINES:]) or "(blank)"
    return text if len(text) <= _TOLD else text[: _TOLD - 3] + "..."


# Replies made of lines.


def line(data: bytes, seen: int) -> int:
    """One line."""
    return data.find(b"\n", seen) + 1


def coded(data: bytes, seen: int) -> int:
    """Lines that begin with a code and ``-``, and one with the same code and no ``-`` (RFC 5321 section 4.2.1, RFC 959
    section 4.2, where what stands between the first and the last line is free).
    """
    if not re.match(rb"\d{0,3}\Z|\d{3}[ \r\n-]", data):
        return NEVER
    if data[3:4] != b"-":
        return line(data, seen)
    last = re.compile(rb"^" + data[:3] + rb"(?: [^\n]*|\r?)\n", re.MULTILINE).search(data, _line_begins(data, seen))
    return last.end() if last else 0


def _line_begins(data: bytes, at: int) -> int:
    return data.rfind(b"\n", 0, at) + 1


def until(pattern: bytes) -> Whole:
    """Whole lines up to the first that begins with ``pattern``."""
    expression = rb"^(?:" + pattern + rb")[^\n]*\n"

    def whole(data: bytes, seen: int) -> int:
        if not line(data, seen):
            return 0
        search = re.compile(expression, re.MULTILINE | re.IGNORECASE).search
        last = search(data, _line_begins(data, seen))
        return last.end() if last else 0

    return whole


def ends(pattern: bytes) -> Judge:
    """A judge of lines: the last must begin with ``pattern``."""

    def judge(reply: bytes) -> str:
        last = reply.rstrip(b"\r\n").rpartition(b"\n")[2]
        return "" if re.match(pattern, last, re.IGNORECASE) else told(reply)

    return judge


def through(pattern: bytes, begins: bytes) -> Whole:
    """Everything up to the end of what ``pattern`` matches first; a match holds ``begins`` at its start and never again."""

    def whole(data: bytes, seen: int) -> int:
        found = re.compile(pattern).search(data, max(0, data.rfind(begins, 0, seen)))
        return found.end() if found else 0

    return whole


# Replies of a length.


def sized(length: Callable[[bytes], int]) -> Whole:
    """A reply that says its length in its first bytes."""
    return lambda data, _: length(data)


def octets(count: int) -> Whole:
    """So many bytes."""
    return sized(lambda data: counted(data, count))


def counted(data: bytes, need: int) -> int:
    """``need`` when so many bytes are there, else 0: what ``sized`` wants of who has read a length."""
    return need if len(data) >= need else 0
