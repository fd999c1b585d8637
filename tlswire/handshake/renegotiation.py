"""A client that begins another handshake under the keys of a complete one: renegotiation, secure or as it was before.

Whether it binds the handshakes (RFC 5746 section 3.5) follows from its first hello: one that said renegotiation_info,
or the SCSV in its place, does. TLS 1.3 has no renegotiation. Sources: RFC 5246 sections 7.2.2 and 7.4.1.2, RFC 5746.
Must not import anything of tlswire but ``wire``, ``hello`` and the rest of ``handshake``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.handshake.client import Client
from tlswire.handshake.conversation import FINISHED, Conversation
from tlswire.handshake.offer import encode
from tlswire.handshake.tls12 import Tls12
from tlswire.hello.edit import with_extension
from tlswire.wire.records import HANDSHAKE

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello
    from tlswire.wire.records import Alert

RENEGOTIATION_INFO, EMPTY_RENEGOTIATION_SCSV = 0xFF01, 0x00FF
HANDSHAKE_FAILURE, NO_RENEGOTIATION = 40, 100
MOST = 2  # renegotiations on one connection: one could be a chance, and more would be a load


class Renegotiating(Client):
    """Renegotiates once the handshake is complete, and again, ``MOST`` times at most; then says close_notify.

    The conversation is that of the first handshake; its ``renegotiations`` are those that followed, each with its own
    kind and alerts. A no_renegotiation alert ends it, as does silence of ``wait`` seconds.
    """

    def __init__(self, *arguments: Any, wait: float = 1.0, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.wait = wait
        self.binds = (
            self.hello.raw_extension(RENEGOTIATION_INFO) is not None or EMPTY_RENEGOTIATION_SCSV in self.hello.suites
        )
        self._earlier: tuple[Conversation, ...] = ()
        self._binding = b""  # verify_data of the handshake before, the client's and the server's

    def established(self) -> None:
        """Check what binds this handshake to the one before, then begin the next."""
        flow, hello = self.flow, self.shown.hello
        bound = None if hello is None else hello.raw_extension(RENEGOTIATION_INFO)
        if self._earlier and self.binds and bound != _body(self._binding):
            self.fail("renegotiation_info is not the verify_data of both sides (RFC 5746 3.5)", HANDSHAKE_FAILURE)
        elif not isinstance(flow, Tls12) or len(self._earlier) == MOST:
            self.end()
            self.done = True
        else:
            self._binding = flow.client_verify_data + flow.server_verify_data
            self._again(flow.client_verify_data)

    def renewed(self, hello: ClientHello) -> bytes:
        """The message of the next hello; a subclass may say another."""
        return encode(hello)

    def warned(self, alert: Alert) -> None:
        """RFC 5246 section 7.2.2: the way to refuse, and to go on as before."""
        if alert.description == NO_RENEGOTIATION:
            self.end()

    def conversation(self, ending: str, **facts: Any) -> Conversation:
        """The value of the first handshake, with those that followed it."""
        last = super().conversation(ending, **facts)
        if not self._earlier:
            return last
        first, *later = (*self._earlier, last)
        for each in self._earlier:
            each.kind = FINISHED
            each.ending, each.connected, each.started = last.ending, last.connected, last.started
            each.elapsed, each.local, each.sent, each.received = last.elapsed, last.local, last.sent, last.received
        first.renegotiations = tuple(later)
        return first

    def _again(self, verify_data: bytes) -> None:
        suites = tuple(code for code in self.hello.suites if code != EMPTY_RENEGOTIATION_SCSV)
        hello = msgspec.structs.replace(self.hello, random=self.rng.randbytes(32), session_id=b"", suites=suites)
        if self.binds:
            hello = with_extension(hello, RENEGOTIATION_INFO, _body(verify_data))
        self._earlier += (self.shown,)
        self.shown = Conversation(client_random=hello.random, offered=hello)
        self.hello, self.flow = hello, None
        message = self.renewed(hello)
        self.transcript = bytearray(message)
        self.send(HANDSHAKE, message)
        self.patience = self.wait


def _body(verify_data: bytes) -> bytes:
    """The body of renegotiation_info (RFC 5746 section 3.2)."""
    return bytes((len(verify_data),)) + verify_data
