"""Messages of both sides in, one session out: what was offered, what was chosen, how it ended.

One builder serves TLS over TCP, DTLS and QUIC: it is told messages, not packets. Must not import anything of tlswire
but ``registry``, ``wire``, ``hello``, ``certificates``, ``results`` and ``capture.describe``; no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from tlswire.capture import answers, describe
from tlswire.errors import WireError
from tlswire.registry import ALERTS, SSLV2_KINDS
from tlswire.results.session import Alert
from tlswire.wire.dtls import parse_dtls_client_hello, tls_equivalent
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, SSLV2

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.results.session import (
        Certificate,
        CertificateRequest,
        DecryptionState,
        Hello,
        KeyExchange,
        Peer,
        ServerHello,
        Transport,
    )
    from tlswire.wire.messages import EncryptedExtensions as WireEncryptedExtensions
    from tlswire.wire.messages import ServerHello as WireServerHello
    from tlswire.wire.records import Message

# Bounds of one session; what is beyond them is counted in a note.
MAX_HELLOS = 1024
MAX_CERTIFICATES = 64
MAX_ALERTS = 16
MAX_NOTES = 16
# Records after one side went over to encryption, with nothing seen of the other: the capture has one direction only.
ONE_SIDED = 64

_LEVELS = {1: "warning", 2: "fatal"}
_NAMES = ("client", "server")

_NEITHER = [False, False].copy


class SessionBuilder(msgspec.Struct, eq=False):
    """Collects what one flow says. Sides are 0 and 1 as the flow numbers them; ``client`` is known with a hello.

    ``messages`` counts what was read in clear, ``holes`` tells of bytes in clear that were not captured; ``version`` is
    the selected one as TLS counts (0x0303 for DTLS 1.2). ``opened`` says whether what comes next of a side was decrypted.
    """

    transport: Transport
    client: int | None = None
    done: bool = False
    messages: int = 0
    encrypted: list[bool] = msgspec.field(default_factory=_NEITHER)
    ccs: list[bool] = msgspec.field(default_factory=_NEITHER)
    holes: list[bool] = msgspec.field(default_factory=_NEITHER)
    records_after: int = 0
    fatal: bool = False
    version: int = 0
    selected: WireServerHello | None = None
    protocol: str | None = None
    quic_version: int | None = None
    hellos: list[Hello] = []
    raw_hellos: list[bytes] = []
    server_hellos: list[ServerHello] = []
    certificates: list[Certificate] = []
    chains: list[answers.Chain] = []
    key_exchange: KeyExchange | None = None
    certificate_request: CertificateRequest | None = None
    alerts: list[tuple[int, tuple[int, int, int, bool]]] = []
    notes: list[str] = []
    sslv2_server: bool = False
    opened: list[bool] = msgspec.field(default_factory=_NEITHER)
    decryption: DecryptionState | None = None
    encrypted_extensions: WireEncryptedExtensions | None = None
    tickets: int | None = None  # None: it cannot be known whether there were any

    def message(self, side: int, message: Message, frame: int) -> None:
        """One message of ``side``, completed by ``frame``."""
        content = message.content
        if content == HANDSHAKE:
            # A message of type 0 is an encrypted record after ChangeCipherSpec; a HelloRequest has no body.
            if message.type or not message.body:
                self.handshake(side, message.version, message.type, message.body, frame)
            else:
                self.sealed(side)
        elif content == APPLICATION_DATA:
            self.sealed(side)
        elif content == CHANGE_CIPHER_SPEC:
            self.ccs[side] = True
        elif content == ALERT:
            self._alert(side, message.body, frame)
        elif content == SSLV2:
            try:
                self._sslv2(side, message, frame)
            except WireError as error:
                self.note(f"frame {frame}, {self._name(side)}: {error}")

    def hidden(self, side: int) -> None:
        """``side`` went over to encryption, which nothing in clear shows where its records are opened."""
        if not self.encrypted[side]:
            self.sealed(side)

    def fault(self, side: int, reason: str, frame: int) -> None:
        """Bytes of ``side`` that no parser takes."""
        if not self.encrypted[side]:
            self.note(f"frame {frame}, {self._name(side)}: {reason}")

    def missing(self, side: int, count: int, frame: int) -> None:
        """A hole in the stream of ``side``, found at ``frame``."""
        self.holes[side] = True
        self.note(f"frame {frame}, {self._name(side)}: {count} bytes before were not captured")

    def note(self, text: str) -> None:
        """One line for the reader; the same line once."""
        if text not in self.notes:
            if len(self.notes) < MAX_NOTES:
                self.notes.append(text)
            elif len(self.notes) == MAX_NOTES:
                self.notes.append("more happened")

    def partial(self, side: int, version: int, kind: int, length: int, body: bytes, frame: int) -> None:
        """A handshake message of which only the beginning came."""
        if kind == 1 and len(self.hellos) < MAX_HELLOS:
            hello = describe.describe_partial_hello(frame, version, body, length, self.transport[0])
            if hello is None:
                return
            self.messages += 1
            self.client = side if self.client is None else self.client
            self.hellos.append(hello)
            self.raw_hellos.append(b"")
            self.note(f"frame {frame}, client: {len(body)} of {length} bytes of the ClientHello were captured")
        elif kind == 2 and not self.server_hellos:
            described = describe.describe_partial_server_hello(frame, version, body)
            if described is not None:
                self.messages += 1
                self.client = 1 - side if self.client is None else self.client
                self._answered(*described)
            self.note(f"frame {frame}, server: {len(body)} of {length} bytes of the ServerHello were captured")
        elif kind == 11 and not self.certificates:
            self.note(
                f"frame {frame}, {self._name(side)}: {len(body)} of {length} bytes of the Certificate were captured"
            )

    def _name(self, side: int) -> str:
        if self.client is None:
            return "one side"
        return "client" if side == self.client else "server"

    def sealed(self, side: int) -> None:
        """A record of ``side`` that is encrypted."""
        encrypted = self.encrypted
        if not encrypted[side]:
            encrypted[side] = True
            self.done = encrypted[0] and encrypted[1]
        else:
            self.records_after += 1
            if self.records_after > ONE_SIDED:
                self.done = True

    def handshake(self, side: int, version: int, kind: int, body: bytes, frame: int) -> None:
        """One handshake message in clear; ``version`` is its record's."""
        handler = self._HANDLERS.get(kind)
        self.messages += 1
        if handler is not None:
            try:
                handler(self, side, version, body, frame)
            except WireError as error:
                self.note(f"frame {frame}, {self._name(side)}: {error}")

    def _client_hello(self, side: int, version: int, body: bytes, frame: int) -> None:
        if self.client is None:
            self.client = side
        if len(self.hellos) >= MAX_HELLOS:
            self.note(f"more than {MAX_HELLOS} hellos")
            return
        hello: Hello | None
        error: WireError | None = None
        if self.transport == "dtls":
            try:
                value, _ = parse_dtls_client_hello(body)
            except WireError as fault:
                hello, error = describe.describe_partial_hello(frame, version, body, len(body), "d"), fault
            else:
                hello = describe.describe_client_hello(frame, version, value, body, "d")
        else:
            first = self.raw_hellos[-1][4:] if self.raw_hellos and self.server_hellos else b""
            hello, error = describe.describe_hello(frame, version, body, self.transport[0], first)
        if error is not None:
            self.note(f"frame {frame}, client: {error}")
        if hello is not None:
            self.hellos.append(hello)
            self.raw_hellos.append(b"\x01" + len(body).to_bytes(3, "big") + body)

    def _server_hello(self, side: int, version: int, body: bytes, frame: int) -> None:
        if self.client is None:
            self.client = 1 - side
        if len(self.server_hellos) >= MAX_HELLOS:
            self.note(f"more than {MAX_HELLOS} answers")
            return
        self._answered(*describe.describe_server_hello(frame, version, body))

    def _answered(self, described: ServerHello, value: WireServerHello) -> None:
        self.server_hellos.append(described)
        self.selected = value
        if described.kind == "hello":
            self.version = tls_equivalent(int(described.version, 16))  # found among the extensions already

    def _certificate(self, side: int, _version: int, body: bytes, frame: int) -> None:
        read = answers.chain13 if self._opened(side) else answers.chain
        self._presented(side, read(body), frame)

    def _opened(self, side: int) -> bool:
        """Whether a message was decrypted as part of a TLS 1.3 handshake; in clear it can only be read as an older one."""
        return self.version >= 0x0304 and self.opened[side]

    def _compressed_certificate(self, side: int, _version: int, body: bytes, frame: int) -> None:
        if self._opened(side):
            self._presented(side, answers.compressed_chain(body), frame)

    def _encrypted_extensions(self, side: int, _version: int, body: bytes, _frame: int) -> None:
        if self._opened(side):
            self.encrypted_extensions = answers.encrypted_extensions(body)

    def _ticket(self, _side: int, _version: int, _body: bytes, _frame: int) -> None:
        self.tickets = (self.tickets or 0) + 1

    def _presented(self, side: int, chain: answers.Chain, frame: int) -> None:
        sender: Peer = "client" if self.client == side else "server"
        if sender == "server":
            self.chains.append(chain)
        for facts in chain.certificates:
            if len(self.certificates) >= MAX_CERTIFICATES:
                self.note(f"more than {MAX_CERTIFICATES} certificates")
                break
            self.certificates.append(answers.certificate(frame, sender, facts))

    def _server_key_exchange(self, _side: int, _version: int, body: bytes, frame: int) -> None:
        if self.selected is None:
            return
        self.key_exchange = answers.key_exchange(frame, self.selected.suite, self.version, body)

    def _certificate_request(self, side: int, _version: int, body: bytes, frame: int) -> None:
        if self._opened(side):
            self.certificate_request = answers.certificate_request13(frame, body)
        else:
            self.certificate_request = answers.certificate_request(frame, self.version, body)

    def _alert(self, side: int, body: bytes, frame: int) -> None:
        if len(body) != 2 or body[0] not in _LEVELS:
            self.sealed(side)
            return
        self.messages += 1
        if len(self.alerts) < MAX_ALERTS:
            self.alerts.append((side, (frame, body[0], body[1], self.opened[side])))
        else:
            self.note(f"more than {MAX_ALERTS} alerts")
        if body[0] == 2:
            self.fatal = True

    def _sslv2(self, side: int, message: Message, frame: int) -> None:
        if message.type == 1 and not self.hellos:
            self.messages += 1
            self.client = side
            self.hellos.append(describe.describe_sslv2_hello(frame, message.body))
            self.raw_hellos.append(b"\x01" + message.body)
        elif message.type == 4 and not self.sslv2_server:
            self.messages += 1
            self.client = 1 - side
            self.sslv2_server = True
            self.version = 0x0002
            hello, chain = answers.sslv2_server(frame, message.body)
            self._presented(side, chain, frame)
            if hello is not None:
                self.server_hellos.append(hello)
        elif message.type == 2 and side == self.client and self.server_hellos and len(message.body) >= 3:
            # CLIENT-MASTER-KEY: the client, not the server, chooses the kind (SSL 0.2 draft section 1.3).
            kind = int.from_bytes(message.body[:3], "big")
            chosen = {"suite": SSLV2_KINDS.hex(kind), "suite_name": SSLV2_KINDS[kind].name}
            self.server_hellos[-1] = msgspec.structs.replace(self.server_hellos[-1], **chosen)
            self.sealed(side)
        else:
            self.sealed(side)

    _HANDLERS: ClassVar[dict[int, Callable[[SessionBuilder, int, int, bytes, int], None]]] = {
        1: _client_hello,
        2: _server_hello,
        4: _ticket,
        8: _encrypted_extensions,
        11: _certificate,
        12: _server_key_exchange,
        13: _certificate_request,
        25: _compressed_certificate,
    }

    def alert_results(self, client: int) -> list[Alert]:
        """The alerts with the names of their senders, which may be known only at the end."""
        return [
            Alert(frame, "client" if side == client else "server", _LEVELS[level], ALERTS[code].name, code, opened)
            for side, (frame, level, code, opened) in self.alerts
        ]
