"""A small client on the keys room, and servers in memory to talk to: OpenSSL by ``ssl``, tlslite-ng with old ciphers."""

from __future__ import annotations

import errno
import ssl
import warnings
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING, Any

from cryptography import x509
from msgspec.structs import replace

from tests.servers.certs import certificates
from tlswire.crypto import prf, schedule
from tlswire.crypto.protection import protection13, protections12
from tlswire.crypto.records import RecordStream
from tlswire.crypto.shares import PrivateShare, dh_private, private_share, rsa_encrypt
from tlswire.crypto.signatures import LEGACY, certificate_verify_signed, server_params_signed, verify
from tlswire.crypto.suites import digest_of
from tlswire.hello.builder import Shape, client_hello
from tlswire.registry import SUITES
from tlswire.wire.extension_bodies import KeyShareEntry, OfferedPsks, PskIdentity
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CLIENT_HELLO_BODY, body_grammar, encode_handshake, parse_server_hello
from tlswire.wire.messages import Extension
from tlswire.wire.primitives import build, parse
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, fragment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.crypto.protection import Protection
    from tlswire.wire.messages import ClientHello, ServerHello
    from tlswire.wire.records import Message

GROUPS = (0x001D, 0x0017, 0x0018, 0x0019, 0x001E)


class Client:
    """One handshake with one suite; ``sent`` is what to send next, ``received`` the application data that came."""

    def __init__(
        self,
        version: int,
        suite: int,
        *,
        groups: tuple[int, ...] = GROUPS,
        without: tuple[int, ...] = (),
        psk: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.rng = Random(version << 16 | suite)
        self.version, self.suite, self.digest = version, suite, digest_of(suite)
        self.stream = RecordStream()
        self.writer: Protection | None = None
        self.received = b""
        self.tickets: list[Any] = []
        self.done = False
        self.psk = psk
        self.transcript = b""
        self.resumed = self.retried = False
        self.share: PrivateShare = private_share(groups[0], self.rng)
        hello = client_hello(version, (suite,), rng=self.rng, shape=Shape(groups=groups))
        kept = tuple(item for item in hello.extensions or () if item.type not in without)
        self.hello: ClientHello = replace(hello, extensions=kept)
        self.sent = self._hello()

    def _hello(self) -> bytes:
        """The ClientHello with the share and, last, the PSK with its binder."""
        others = [item for item in self.hello.extensions or () if item.type not in {41, 51}]
        if self.version == 0x0304:
            entry = KeyShareEntry(self.share.group, self.share.public)
            others.append(Extension(51, encode_extension(51, (entry,))))
        if self.psk is not None:
            size = len(schedule.transcript_hash(self.digest))
            offered = OfferedPsks((PskIdentity(self.psk[0], 0),), (bytes(size),))
            others.append(Extension(41, encode_extension(41, offered)))
        self.hello = replace(self.hello, extensions=tuple(others) or None)
        message = encode_handshake(1, build(CLIENT_HELLO_BODY, self.hello))
        if self.psk is not None:
            truncated = message[: -size - 3]
            digest = schedule.transcript_hash(self.digest, self.transcript, truncated)
            binder = schedule.verify_data(self.digest, schedule.early(self.digest, self.psk[1]).binder_key(), digest)
            message = message[:-size] + binder
        self.transcript += message
        return fragment(HANDSHAKE, min(0x0301, self.version), message)

    def feed(self, data: bytes) -> None:
        for message in self.stream.feed(data):
            self._take(message)
        assert self.stream.error is None, self.stream.error

    def write(self, data: bytes, content: int = APPLICATION_DATA) -> None:
        self.sent += fragment(content, self.version, data) if self.writer is None else self.writer.seal(content, data)

    def _say(self, kind: int, body: bytes) -> None:
        message = encode_handshake(kind, body)
        self.transcript += message
        self.write(message, HANDSHAKE)

    def _take(self, message: Message) -> None:
        if message.content == APPLICATION_DATA:
            self.received += message.body
        elif message.content == CHANGE_CIPHER_SPEC:
            if self.version < 0x0304:
                self.stream.protect(self.server_protection)
        elif message.content == ALERT:
            assert message.body == b"\x01\x00", message.body.hex()
        else:
            before = self.transcript
            self.transcript += encode_handshake(message.type, message.body)
            getattr(self, f"_{message.type}{'_13' if self.version == 0x0304 else ''}")(message.body, before)

    # SSLv3 to TLS 1.2

    def _2(self, body: bytes, _: bytes) -> None:
        self.server: ServerHello = parse_server_hello(body)
        assert (self.server.version, self.server.suite) == (self.version, self.suite)

    def _11(self, body: bytes, _: bytes) -> None:
        chain = parse(body_grammar(11, self.version, self.suite), body).chain
        leaf = chain[0] if isinstance(chain[0], bytes) else chain[0].data
        self.server_key: Any = x509.load_der_x509_certificate(leaf).public_key()

    def _12(self, body: bytes, _: bytes) -> None:
        exchange = parse(body_grammar(12, self.version, self.suite), body)
        self.params = exchange.params
        if exchange.signature is None:
            return
        signature = exchange.signature if self.version < 0x0303 else exchange.signature.signature
        scheme = LEGACY if self.version < 0x0303 else exchange.signature.scheme
        params = body[: -len(signature) - (2 if self.version < 0x0303 else 4)]
        signed = server_params_signed(self.hello.random, self.server.random, params)
        assert verify(scheme, self.server_key, signed, signature) == ""
        assert verify(scheme, self.server_key, signed + b"\0", signature) == "does not verify"

    def _14(self, _: bytes, __: bytes) -> None:
        kex = SUITES[self.suite].kex
        if kex == "RSA":
            premaster = min(self.version, 0x0303).to_bytes(2, "big") + self.rng.randbytes(46)
            encrypted = rsa_encrypt(self.server_key, premaster, self.rng)
            self._say(16, encrypted if self.version == 0x0300 else len(encrypted).to_bytes(2, "big") + encrypted)
        elif kex.startswith("DH"):
            prime, generator = int.from_bytes(self.params.prime, "big"), int.from_bytes(self.params.generator, "big")
            key = dh_private(prime, generator, self.rng)
            premaster = key.secret(self.params.public)
            self._say(16, len(key.public).to_bytes(2, "big") + key.public)
        else:
            share = private_share(self.params.parameters.curve, self.rng)
            premaster = share.secret(self.params.public)
            self._say(16, bytes((len(share.public),)) + share.public)
        if 23 in self.server.extension_types:
            master = prf.extended_master_secret(self.version, premaster, self.transcript, self.digest)
        else:
            master = prf.master_secret(self.version, premaster, self.hello.random, self.server.random, self.digest)
        self.master = master
        self.encrypt_then_mac = 22 in self.server.extension_types
        client, self.server_protection = protections12(
            self.version,
            self.suite,
            master,
            self.hello.random,
            self.server.random,
            encrypt_then_mac=self.encrypt_then_mac,
            rng=self.rng,
        )
        self.write(b"\x01", CHANGE_CIPHER_SPEC)
        self.writer = client
        self._say(20, prf.verify_data(self.version, master, self.transcript, server=False, digest=self.digest))

    def _4(self, body: bytes, _: bytes) -> None:
        self.tickets.append(body)

    def _20(self, body: bytes, before: bytes) -> None:
        assert body == prf.verify_data(self.version, self.master, before, server=True, digest=self.digest)
        self.done = True

    # TLS 1.3

    def _2_13(self, body: bytes, before: bytes) -> None:
        self._2(body, before)
        if self.server.is_retry:
            assert self.server.group is not None
            self.retried = True
            self.transcript = schedule.message_hash(self.digest, before) + encode_handshake(2, body)
            self.share = private_share(self.server.group, self.rng)
            cookie = self.server.raw_extension(44)
            if cookie is not None:
                self.hello = replace(self.hello, extensions=(*(self.hello.extensions or ()), Extension(44, cookie)))
            self.write(b"\x01", CHANGE_CIPHER_SPEC)
            self.sent += self._hello()
            return
        self.resumed = 41 in self.server.extension_types
        shared = self.share.secret(self.server.extension(51).key_exchange)
        early = schedule.early(self.digest, self.psk[1] if self.psk is not None and self.resumed else b"")
        self.secrets = early.handshake(shared, self._hash())
        self.stream.protect(protection13(self.suite, self.secrets.server))

    def _hash(self) -> bytes:
        return schedule.transcript_hash(self.digest, self.transcript)

    def _8_13(self, _: bytes, __: bytes) -> None:
        pass

    _11_13 = _11

    def _15_13(self, body: bytes, before: bytes) -> None:
        signature = parse(body_grammar(15, 0x0304), body)
        signed = certificate_verify_signed(schedule.transcript_hash(self.digest, before))
        assert verify(signature.scheme, self.server_key, signed, signature.signature, tls13=True) == ""

    def _20_13(self, body: bytes, before: bytes) -> None:
        transcript = schedule.transcript_hash(self.digest, before)
        assert body == schedule.verify_data(self.digest, self.secrets.server, transcript)
        application = self.secrets.application(self._hash())
        self.stream.protect(protection13(self.suite, application.server))
        self.writer = protection13(self.suite, self.secrets.client)
        self._say(20, schedule.verify_data(self.digest, self.secrets.client, self._hash()))
        self.writer = protection13(self.suite, application.client)
        self.application = application
        self.resumption = application.resumption(self._hash())
        self.done = True

    def _4_13(self, body: bytes, _: bytes) -> None:
        ticket = parse(body_grammar(4, 0x0304), body)
        self.tickets.append((ticket.ticket, schedule.resumption_psk(self.digest, self.resumption, ticket.nonce)))

    def _24_13(self, body: bytes, _: bytes) -> None:
        assert body in {b"\0", b"\1"}
        self.server_secret = schedule.next_secret(self.digest, self.application.server)
        self.stream.protect(protection13(self.suite, self.server_secret))


class OpenSsl:
    """OpenSSL's server, as Python carries it, between two buffers."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._ready = False

    def exchange(self, data: bytes) -> bytes:
        """What the server says to ``data``: once the handshake is over, everything it reads, twice."""
        self._in.write(data)
        try:
            if not self._ready:
                self.tls.do_handshake()
                self._ready = True
            self.tls.write(self.tls.read(1 << 14) * 2)
        except ssl.SSLWantReadError:
            pass
        return self._out.read()


def openssl_context(*, kind: str = "rsa2048", group: str = "") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    leaf = certificates().leaf(kind)
    context.load_cert_chain(leaf.cert, leaf.key)
    context.load_dh_params(str(certificates().dhparam))
    if group:
        context.set_ecdh_curve(group)
    return context


class Tlslite:
    """tlslite-ng's server between two buffers: it has RC4, 3DES, SSLv3."""

    def __init__(self, version: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it wants asyncore, which is on its way out of Python
            tlslite: Any = import_module("tlslite.api")
        self._in, self._out = bytearray(), bytearray()
        leaf = certificates().leaf("rsa2048")
        chain = tlslite.X509CertChain()
        chain.parsePemList(leaf.cert.read_text())
        settings = tlslite.HandshakeSettings()
        settings.minVersion = settings.maxVersion = (version >> 8, version & 0xFF)
        settings.cipherNames = ["rc4", "3des", "null", "aes128", "aes256", "chacha20-poly1305", "aes128gcm"]
        settings.macNames = ["sha", "md5", "sha256", "aead"]
        self.tls = tlslite.TLSConnection(self)
        key = tlslite.parsePEMKey(leaf.key.read_text(), private=True)
        self._steps: Iterator[Any] = self.tls.handshakeServerAsync(certChain=chain, privateKey=key, settings=settings)
        self._handshake = True

    def recv(self, size: int) -> bytes:
        if not self._in:
            raise OSError(errno.EWOULDBLOCK, "nothing there")
        data = bytes(self._in[:size])
        del self._in[:size]
        return data

    def send(self, data: bytes) -> int:
        self._out += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        self._out += data

    def exchange(self, data: bytes) -> bytes:
        self._in += data
        for step in self._steps:
            if step == 0:
                break
            if not self._handshake and isinstance(step, bytes | bytearray):
                for _ in self.tls.writeAsync(bytes(step) * 2):
                    pass
        else:
            self._handshake = False
            self._steps = self.tls.readAsync(1 << 14, 1)
            return self._said() + self.exchange(b"")
        return self._said()

    def _said(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data


def shake(client: Client, server: OpenSsl | Tlslite) -> None:
    """Both talk until nobody has anything to say."""
    while client.sent:
        data, client.sent = client.sent, b""
        client.feed(server.exchange(data))
