"""What secrets add to a capture: records opened with key logs given and with those inside the capture.

``Secrets`` finds those of a connection by its client random; ``Decryption`` follows one TLS connection and sets the
keys of both directions as its handshake goes on. QUIC's keys come from the same secrets (``capture.quic``).
Sources: RFC 9850, RFC 9846 sections 4.6.3 and 7, RFC 5246 section 6.3. Must not import anything of tlswire but
``errors``, ``registry``, ``wire`` and ``crypto``; no I/O.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Literal

from tlswire.crypto import schedule
from tlswire.crypto.keylog import MASTER, KeyLog, parse_keylog
from tlswire.crypto.prf import extended_master_secret, master_secret
from tlswire.crypto.protection import can_protect, protection13, protections12
from tlswire.crypto.records import RecordStream
from tlswire.crypto.suites import digest_of
from tlswire.registry import SUITES, VERSIONS
from tlswire.wire.handshake import CLIENT_HELLO, SERVER_HELLO, encode_handshake
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlswire.crypto.protection import Protection
    from tlswire.wire.messages import ServerHello
    from tlswire.wire.records import Message

# complete: both Finished were read. partial: secrets of a part are missing. failed: they do not open the records.
# no-secrets: there are key logs, but none knows this connection.
State = Literal["complete", "partial", "failed", "no-secrets"]

TLS_KEY_LOG = 0x544C534B  # "TLSK": the secrets type of pcapng's decryption secrets block
CLIENT_KEY_EXCHANGE, FINISHED, KEY_UPDATE = 16, 20, 24
ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET = 22, 23
# Bytes of early data that the server may have thrown away, which nobody can open without its secret.
EARLY_DATA = 1 << 17
MAX_TRANSCRIPT = 1 << 18
# Records of a side after its Finished that are still opened: alerts and tickets come soon or at the very end.
AFTERWARDS = 1024

HANDSHAKE_SECRETS = ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET")
_TRAFFIC_SECRETS = ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0")
_SIDES = ("client", "server")


class Secrets:
    """The secrets at hand for one capture: a key log, and the blocks that the capture itself brings as it is read."""

    def __init__(self, keylog: KeyLog | None, blocks: list[tuple[int, bytes]]) -> None:
        self._logs = [] if keylog is None else [keylog]
        self._blocks = blocks
        self._read = 0

    def __bool__(self) -> bool:
        return bool(self._logs) or bool(self._blocks)

    def of(self, client_random: bytes) -> Mapping[str, bytes]:
        """The secrets of one connection by label; none is an empty mapping."""
        for log in self._known():
            if found := log.of(client_random):
                return found
        return {}

    def premaster(self, encrypted: bytes) -> bytes | None:
        """The premaster secret that NSS logged under the first bytes of its encrypted form."""
        return next((log.premasters[encrypted[:8]] for log in self._known() if encrypted[:8] in log.premasters), None)

    def _known(self) -> list[KeyLog]:
        while self._read < len(self._blocks):
            kind, data = self._blocks[self._read]
            self._read += 1
            if kind == TLS_KEY_LOG:
                self._logs.append(parse_keylog(data))
        return self._logs


class Decryption:
    """One TLS connection over TCP; ``state`` is None as long as nothing protected was met."""

    def __init__(self, secrets: Secrets) -> None:
        self.state: State | None = None
        self.notes: list[str] = []
        self.finished = [False, False]
        self._secrets = secrets
        self._known: Mapping[str, bytes] = {}
        self._random = b""
        self._early = False
        self._transcript = bytearray()
        self._client = 0
        self._hello: ServerHello | None = None
        self._version = 0
        self._streams: dict[int, RecordStream] = {}
        self._traffic: dict[int, bytes] = {}
        self._pending: dict[int, Protection] = {}
        self._after = [0, 0]

    def stream(self, side: int) -> RecordStream:
        """What reads ``side`` from now on, in place of a plain Deframer."""
        self._streams[side] = stream = RecordStream()
        return stream

    @property
    def over(self) -> bool:
        """Whether nothing more can be read: no keys, or enough after both Finished."""
        if self.state in {None, "no-secrets", "failed"} and self._hello is not None:
            return True
        return all(self.finished) and max(self._after) > AFTERWARDS

    def lost(self, side: int) -> None:
        """Bytes of ``side`` are missing: sequence numbers and keys are lost with them."""
        if self._streams.pop(side, None) is not None and self.state is not None and not self.finished[side]:
            self.state = "partial"

    def follow(self, side: int, message: Message, client: int | None, hello: ServerHello | None) -> None:
        """What a message of ``side`` means for the keys; ``hello`` is the ServerHello as far as one was read."""
        if message.content == HANDSHAKE and message.type:
            if len(self._transcript) + len(message.body) <= MAX_TRANSCRIPT and message.type != FINISHED:
                self._transcript += encode_handshake(message.type, message.body)
            self._handshake(side, message, client, hello)
        elif message.content == CHANGE_CIPHER_SPEC and 0 < self._version < 0x0304:
            self._change(side)
        elif message.content == APPLICATION_DATA:
            self._after[side] += 1

    def unopened(self, side: int) -> None:
        """A record of ``side`` does not open."""
        self.state = "failed" if not any(self.finished) else "partial"
        self._note(f"the secrets of the key log do not open the {self._name(side)}'s records")

    def _handshake(self, side: int, message: Message, client: int | None, hello: ServerHello | None) -> None:
        kind = message.type
        if kind == CLIENT_HELLO:
            self._random = message.body[2:34]
            self._early = b"\x00\x2a\x00\x00" in message.body  # no more than a guess is needed: early_data, empty
        elif kind == SERVER_HELLO and hello is not None and not hello.is_retry and client is not None:
            self._client, self._hello, self._version = client, hello, hello.version
            self._begin(hello)
        elif kind == CLIENT_KEY_EXCHANGE and MASTER not in self._known:
            self._premaster(message.body)
        elif kind == FINISHED and self.state is not None:
            self._finish(side)
        elif kind == KEY_UPDATE and side in self._traffic:
            secret = schedule.next_secret(digest_of(self._suite), self._traffic[side])
            self._protect(side, secret)

    @property
    def _suite(self) -> int:
        return 0 if self._hello is None else self._hello.suite

    def _begin(self, hello: ServerHello) -> None:
        self._known = self._secrets.of(self._random)
        if not can_protect(hello.version, hello.suite):
            self.state = "failed" if self._known else "no-secrets"
            what = VERSIONS[hello.version].name if hello.version > 0x0304 else SUITES[hello.suite].name
            self._note(f"records of {what} cannot be opened here")
        elif hello.version >= 0x0304:
            if not self._known:
                self.state = "no-secrets"
                return
            self.state = "partial"
            for role, label in enumerate(HANDSHAKE_SECRETS):
                if label in self._known:
                    self._protect(self._client if role == 0 else 1 - self._client, self._known[label])
                else:
                    self._note(f"the key log has no {label} of this session")
        elif MASTER in self._known:
            self._master(self._known[MASTER])
        elif self._known:
            self.state = "partial"
            self._note(f"the key log has no {MASTER} of this session")

    def _premaster(self, body: bytes) -> None:
        hello = self._hello
        found = self._secrets.premaster(body[2:]) if hello is not None else None
        if hello is None or found is None:
            self.state = self.state or ("no-secrets" if hello is not None else None)
            return
        digest = digest_of(hello.suite)
        if hello.raw_extension(EXTENDED_MASTER_SECRET) is not None:
            self._master(extended_master_secret(self._version, found, bytes(self._transcript), digest))
        else:
            self._master(master_secret(self._version, found, self._random, hello.random, digest))

    def _master(self, secret: bytes) -> None:
        hello = self._hello
        if hello is None:
            return
        self.state = "partial"
        etm = hello.raw_extension(ENCRYPT_THEN_MAC) is not None
        # Nothing is ever sealed with these: no byte of the generator is asked for.
        client, server = protections12(
            hello.version, hello.suite, secret, self._random, hello.random, encrypt_then_mac=etm, rng=Random(0)
        )
        self._pending = {self._client: client, 1 - self._client: server}

    def _change(self, side: int) -> None:
        protection = self._pending.pop(side, None)
        stream = self._streams.get(side)
        if protection is not None and stream is not None:
            stream.protect(protection)
        elif self.state is None:
            self.state = "no-secrets"

    def _protect(self, side: int, secret: bytes) -> None:
        self._traffic[side] = secret
        if side in self._streams:
            # What the client sent early stands before its handshake, under a key of its own.
            early = self._early and side == self._client and not self.finished[side]
            self._streams[side].protect(protection13(self._suite, secret), forgive=EARLY_DATA if early else 0)

    def _finish(self, side: int) -> None:
        self.finished[side] = True
        if all(self.finished):
            self.state = "complete"
        if self._version >= 0x0304:
            label = _TRAFFIC_SECRETS[side != self._client]
            if label in self._known:
                self._protect(side, self._known[label])
            else:
                self._note(f"the key log has no {label} of this session: what came after the handshake is not read")
                self._streams.pop(side, None)

    def _name(self, side: int) -> str:
        return _SIDES[side != self._client]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
