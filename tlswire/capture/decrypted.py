"""What secrets add to a capture: records opened with key logs given and with those inside the capture.

``Secrets`` finds those of a connection by its client random; ``Decryption`` follows one TLS connection and sets the
keys of both directions as its handshake goes on. QUIC's keys come from the same secrets (``capture.quic``).
Sources: RFC 9850, RFC 9846 sections 4.7.3 and 7, RFC 5246 section 6.3. Must not import anything of tlswire but
``errors``, ``registry``, ``wire`` and ``crypto``; no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tlswire.crypto import schedule
from tlswire.crypto.keylog import MASTER, KeyLog, parse_keylog
from tlswire.crypto.prf import extended_master_secret, master_secret
from tlswire.crypto.protection import can_protect, protection13, protections12
from tlswire.crypto.records import RecordStream
from tlswire.crypto.suites import digest_of
from tlswire.registry import SUITES, VERSIONS
from tlswire.wire.handshake import CLIENT_HELLO, SERVER_HELLO, encode_handshake
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Alert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlswire.crypto.protection import Protection
    from tlswire.errors import WireError
    from tlswire.wire.messages import ServerHello
    from tlswire.wire.records import Message

# As results.session has them; what each means is told there.
State = Literal["complete", "partial", "failed", "no-secrets"]

TLS_KEY_LOG = 0x544C534B  # "TLSK": the secrets type of pcapng's decryption secrets block
CLIENT_KEY_EXCHANGE, FINISHED, KEY_UPDATE = 16, 20, 24
ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET = 22, 23
# Bytes of early data that the server may have thrown away, which nobody can open without its secret.
EARLY_DATA = 1 << 17
MAX_TRANSCRIPT = 1 << 18
# Records with data of a side that are opened: alerts and tickets come soon or at the very end.
AFTERWARDS = 1024
# Drafts whose records open like those of TLS 1.3, and whether these cover their header: that of the records came with
# draft 25 (draft-ietf-tls-tls13-20 section 5.2). Other drafts wait for a capture that proves them.
DRAFTS = {0x7F14: False}

HANDSHAKE_SECRETS = ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET")
_TRAFFIC_SECRETS = ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0")
_SIDES = ("client", "server")


class Secrets:
    """The secrets at hand for one capture: a key log, and the blocks that the capture itself brings as it is read."""

    def __init__(self, keylog: KeyLog | None, blocks: list[tuple[int, bytes]]) -> None:
        self._given = keylog
        self._blocks = blocks
        self._read = 0
        self._inside: dict[bytes, dict[str, bytes]] = {}
        self._premasters = {} if keylog is None else dict(keylog.premasters)

    def __bool__(self) -> bool:
        if self._read < len(self._blocks):  # asked of every connection
            self._take()
        return bool(self._given is not None or self._inside or self._premasters)

    def of(self, client_random: bytes) -> Mapping[str, bytes]:
        """The secrets of one connection by label; none is an empty mapping. What was given goes before what is inside."""
        self._take()
        inside = self._inside.get(client_random, {})
        return inside if self._given is None else {**inside, **self._given.of(client_random)}

    def premaster(self, encrypted: bytes) -> bytes | None:
        """The premaster secret that NSS logged under the first bytes of its encrypted form."""
        self._take()
        return self._premasters.get(encrypted[:8])

    def _take(self) -> None:
        """Read the blocks that came since the last call."""
        while self._read < len(self._blocks):
            kind, data = self._blocks[self._read]
            self._read += 1
            if kind == TLS_KEY_LOG:
                log = parse_keylog(data)
                for random, known in log.secrets.items():
                    self._inside[random] = {**known, **self._inside.get(random, {})}
                for name, secret in log.premasters.items():
                    self._premasters.setdefault(name, secret)


class Decryption:
    """One TLS connection over TCP.

    ``finished`` are the sides whose Finished was opened, ``blind`` those of which nothing more can be.
    """

    def __init__(self, secrets: Secrets) -> None:
        self.finished = [False, False]
        self.blind = [False, False]
        self._notes: list[str] = []
        self._lacks: list[str] = []  # labels that the key log has not
        self._secrets = secrets
        self._known: Mapping[str, bytes] = {}
        self._random = b""
        self._hellos = self._retries = 0
        self._answered = False  # by a ServerHello that is no HelloRetryRequest
        self._early = False
        self._transcript: bytearray | None = bytearray()  # None: not whole
        self._client = 0
        self._hello: ServerHello | None = None
        self._version = 0
        self._streams: dict[int, RecordStream] = {}
        self._traffic: dict[int, bytes] = {}
        self._pending: dict[int, Protection] = {}
        self._met = False  # something protected
        self._keyed = False  # there were keys for some of it
        self._opened = False  # some of it
        self._broken = False  # some of it does not open
        self._holed = [False, False]
        self._ended = [False, False]  # by an alert of that side before its Finished
        self._after = [0, 0]

    def stream(self, side: int) -> RecordStream:
        """What reads ``side`` from now on, in place of a plain Deframer."""
        self._streams[side] = stream = RecordStream()
        return stream

    def expects(self, side: int, client: int | None) -> bool:
        """Whether what ``side`` says under keys came before the hello of the other side of which they are made.

        After a HelloRetryRequest the client's own second hello comes first: early data before it stays closed.
        """
        if self._hello is not None:
            return False
        return self._hellos > self._retries if side == client else self._answered

    @property
    def state(self) -> State | None:
        """What became of it; None as long as nothing protected was met."""
        if not self._met:
            return None
        if self._opened:
            return "complete" if all(map(self._whole, (0, 1))) else "partial"
        if self._broken:
            return "failed"
        return "partial" if self._keyed else "no-secrets"

    def _whole(self, side: int) -> bool:
        """Whether the handshake of a side was read to its end: its Finished, or an alert of either that ends it."""
        ended = self._ended[side] or (self._ended[1 - side] and not self.blind[side])
        return self.finished[side] or ended

    @property
    def notes(self) -> list[str]:
        """What was not read and why, one line each."""
        # Of a handshake that an alert ended, nobody had the secrets of what would have come.
        found = self._notes + (self._lacks if not any(self._ended) or self.state != "complete" else [])
        if self.state == "partial":
            missing = " and ".join(self._name(side) for side in self._order() if not self._whole(side))
            found.append(f"decrypted in part: no Finished of {missing}")
        return found

    @property
    def over(self) -> bool:
        """Whether nothing more is to be read: nothing opens, or enough of it was data."""
        return all(self.blind) or max(self._after) > AFTERWARDS

    def lost(self, side: int, missing: int, frame: int) -> None:
        """So many bytes of ``side`` were not captured: under keys, the numbers of its records are lost with them."""
        self._holed[side] = True
        self._transcript = None
        if self._streams[side].protected and not self.blind[side]:
            self.blind[side] = True
            if not self.finished[side]:
                self._note(f"frame {frame}, {self._name(side)}: {missing} encrypted bytes before were not captured")

    def stopped(self, side: int, error: WireError) -> None:
        """Records of ``side`` that are protected end in a fault."""
        self._broken = self._met = True
        self.blind[side] = True
        name = self._name(side)
        if error.path != "record.protected":
            self._note(f"the {name}'s records, opened: {error}")
        elif self.finished[side]:
            self._note(f"the {name}'s records after its Finished do not open")
        else:
            self._note(f"the secrets of the key log do not open the {name}'s records")

    def follow(self, side: int, message: Message, client: int | None, hello: ServerHello | None) -> None:
        """What a message of ``side`` means for the keys; ``hello`` is the ServerHello as far as one was read."""
        opened = side in self._streams and self._streams[side].opened
        self._opened = self._opened or opened
        if message.content == HANDSHAKE and message.type:
            self._handshake(side, message, client, hello)
        elif message.content == HANDSHAKE and message.body:
            self._met = True  # the record behind a ChangeCipherSpec
        elif message.content == CHANGE_CIPHER_SPEC and 0 < self._version < 0x0304:
            self._change(side)
        elif message.content == APPLICATION_DATA:
            self._met = True
            self._after[side] += 1
        elif message.content == ALERT and len(message.body) == 2 and not self.finished[side]:
            # Behind a hole, what is in clear may be what is not.
            certain = opened or not self._holed[side]
            self._ended[side] = self._ended[side] or (certain and Alert(*message.body).fatal)

    def _handshake(self, side: int, message: Message, client: int | None, hello: ServerHello | None) -> None:
        kind = message.type
        if kind == CLIENT_HELLO:
            self._random = message.body[2:34]
            self._hellos += 1
            self._early = b"\x00\x2a\x00\x00" in message.body  # no more than a guess is needed: early_data, empty
            self._transcript = bytearray()
        if self._transcript is not None:
            self._transcript += encode_handshake(kind, message.body)
            if len(self._transcript) > MAX_TRANSCRIPT:
                self._transcript = None
        if kind == SERVER_HELLO and hello is not None and hello.is_retry:
            self._retries += 1
        elif kind in {CLIENT_HELLO, SERVER_HELLO}:
            # The capture may have the answer first. A hello that comes when all is answered begins a renegotiation.
            self._answered = hello is not None and not hello.is_retry
            first = kind == SERVER_HELLO or self._hello is None
            if hello is not None and self._answered and first and self._hellos > self._retries:
                self._client, self._hello, self._version = client or 0, hello, hello.version
                self._begin(hello)
        elif kind == CLIENT_KEY_EXCHANGE and self._hello is not None and MASTER not in self._known:
            self._premaster(self._hello, message.body)
        elif kind == FINISHED and self._streams[side].opened:
            self._finish(side)
        elif kind == KEY_UPDATE and side in self._traffic:
            self._protect(side, schedule.next_secret(digest_of(self._suite), self._traffic[side]))

    @property
    def _suite(self) -> int:
        return 0 if self._hello is None else self._hello.suite

    def _begin(self, hello: ServerHello) -> None:
        """The server chose, and what it answers is known."""
        self._known = self._secrets.of(self._random)
        version = 0x0304 if hello.version in DRAFTS else hello.version
        if version >= 0x0304:
            self._met = True
        if not can_protect(version, hello.suite):
            self.blind = [True, True]
            self._broken = bool(self._known)
            if self._known:
                what = SUITES[hello.suite] if version <= 0x0304 else VERSIONS[version]
                self._note(f"records of {what.name} cannot be opened here")
        elif version >= 0x0304:
            for side, label in zip(self._order(), HANDSHAKE_SECRETS, strict=True):
                if label in self._known:
                    self._protect(side, self._known[label])
                else:
                    self._lack(side, label)
        elif MASTER in self._known:
            self._master(hello, self._known[MASTER])

    def _lack(self, side: int, label: str, more: str = "") -> None:
        self.blind[side] = True
        if self._known:
            self._lacks.append(f"the key log has no {label} of this session{more}")

    def _premaster(self, hello: ServerHello, body: bytes) -> None:
        premaster = self._secrets.premaster(body[2:])
        if premaster is None or not can_protect(hello.version, hello.suite):
            return
        digest = digest_of(hello.suite)
        if hello.raw_extension(EXTENDED_MASTER_SECRET) is None:
            self._master(hello, master_secret(hello.version, premaster, self._random, hello.random, digest))
        elif self._transcript is not None:
            self._master(hello, extended_master_secret(hello.version, premaster, bytes(self._transcript), digest))
        else:
            self._note("an extended master secret of a handshake that is not whole cannot be made")

    def _master(self, hello: ServerHello, secret: bytes) -> None:
        from random import Random  # noqa: PLC0415 - most captures come without a key log

        etm = hello.raw_extension(ENCRYPT_THEN_MAC) is not None
        # Nothing is ever sealed with these: no byte of the generator is asked for.
        both = protections12(
            hello.version, hello.suite, secret, self._random, hello.random, encrypt_then_mac=etm, rng=Random(0)
        )
        self._pending = dict(zip(self._order(), both, strict=True))

    def _change(self, side: int) -> None:
        """ChangeCipherSpec of TLS 1.2 or older."""
        self._met = True
        protection = self._pending.pop(side, None)
        if protection is not None and side in self._streams:
            self._streams[side].protect(protection)
            self._keyed = True
        else:
            self._lack(side, MASTER)

    def _protect(self, side: int, secret: bytes) -> None:
        self._traffic[side] = secret
        if side in self._streams:
            # What the client sent early stands before its handshake, under a key of its own.
            early = self._early and side == self._client and not self.finished[side]
            covered = DRAFTS.get(self._version, True)
            protection = protection13(self._suite, secret, header=covered)
            self._streams[side].protect(protection, forgive=EARLY_DATA if early else 0)
            self._keyed = True

    def _finish(self, side: int) -> None:
        """The first Finished of a side; one more ends a renegotiation or an authentication after the handshake."""
        again, self.finished[side] = self.finished[side], True
        if self._version >= 0x0304 and not again:
            label = _TRAFFIC_SECRETS[side != self._client]
            if label in self._known:
                self._protect(side, self._known[label])
            else:
                self._lack(side, label, ": what came after the handshake is not read")

    def _order(self) -> tuple[int, int]:
        """Client, server."""
        return self._client, 1 - self._client

    def _name(self, side: int) -> str:
        return _SIDES[side != self._client]

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)
