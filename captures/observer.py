"""A TLS server of Python's ``ssl`` that tells what was negotiated, and the same as a client.

What they tell are the facts of recordings whose other side prints nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

from captures.openssl import VERSIONS, suites
from captures.record import HOST, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from captures.mint import Leaf

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


def facts_of(secure: ssl.SSLSocket, name: str | None) -> Facts:
    """What a finished handshake was."""
    suite, version = secure.cipher() or ("", "", 0), secure.version() or ""
    facts: Facts = {
        "server_name": name,
        "version": VERSIONS[version],
        "suite": suites()[suite[0]],
        "alerts": [],
        "outcome": "established",
        "resumed": bool(secure.session_reused),
    }
    if version == "TLSv1.3":
        facts["certificates"] = []
    elif (alpn := secure.selected_alpn_protocol()) is not None:
        facts["alpn"] = alpn
    return facts


class Observer:
    """The server: ``with Observer(leaf) as peer: ...; peer.facts``."""

    def __init__(
        self,
        leaf: Leaf,
        *,
        port: int = 4433,
        alpn: tuple[str, ...] = (),
        before: Callable[[socket.socket], bool] | None = None,
        **settings: Any,
    ) -> None:
        self.facts: list[Facts] = []
        self._before, self._leaf = before, leaf
        self._names: dict[int, str | None] = {}
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(leaf.chain, leaf.key)
        self._context.sni_callback = lambda secure, name, _: self._names.update({id(secure): name})
        if alpn:
            self._context.set_alpn_protocols(list(alpn))
        if settings.pop("old", False):
            self._context.minimum_version = ssl.TLSVersion.TLSv1
            self._context.set_ciphers("ALL:@SECLEVEL=0")
        for name, value in settings.items():
            setattr(self._context, name, value)
        self._listener = socket.create_server((HOST, port))
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(3)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, peer: socket.socket) -> None:
        peer.settimeout(8)
        with contextlib.suppress(OSError), peer:
            if self._before is not None and not self._before(peer):
                return
            secure = self._context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
            secure.do_handshake()
            facts = facts_of(secure, self._names.get(id(secure)))
            facts.setdefault("certificates", [] if facts["resumed"] else self._leaf.sha256)
            self.facts.append(facts)
            with secure:
                if secure.recv(4096):
                    secure.sendall(ANSWER)
                secure.unwrap().close()


def observe(port: int, name: str, *, start: Callable[[socket.socket], None] | None = None, **settings: Any) -> Facts:
    """Connect as a client, shake hands, exchange a line, say goodbye; the certificates are those that arrived."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    for key, value in settings.items():
        setattr(context, key, value)
    with socket.create_connection((HOST, port), timeout=8) as plain:
        if start is not None:
            start(plain)
        with context.wrap_socket(plain, server_hostname=name) as secure:
            facts = facts_of(secure, name)
            sent = secure._sslobj.get_unverified_chain() or []  # type: ignore[attr-defined]  # noqa: SLF001 - only this tells the chain
            der = [ssl.PEM_cert_to_DER_cert(item.public_bytes()) for item in sent]
            facts.setdefault("certificates", [hashlib.sha256(item).hexdigest() for item in der])
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(OSError):
                secure.recv(4096)
                secure.unwrap()
    return facts
