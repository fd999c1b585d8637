"""A threaded tlslite-ng server, everything it implements switched on but for what SETTINGS, a JSON
object, say of its HandshakeSettings and of "alpn": tlslite_ng.py PORT SETTINGS KEY CERT [KEY CERT]...
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from pathlib import Path

from tlslite import handshakesettings as names  # type: ignore[import-untyped,unused-ignore]
from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey  # type: ignore[import-untyped,unused-ignore]
from tlslite.handshakesettings import Keypair, VirtualHost  # type: ignore[import-untyped,unused-ignore]

PAGE = b"HTTP/1.0 200 OK\r\n\r\ntlswire\n"


def settings(narrowed: dict[str, object]) -> HandshakeSettings:
    wide = HandshakeSettings()
    wide.minVersion = (3, 0)
    wide.cipherNames = list(names.ALL_CIPHER_NAMES)
    wide.macNames = list(names.ALL_MAC_NAMES)
    wide.eccCurves = list(names.ALL_CURVE_NAMES)
    wide.rsaSigHashes = list(names.ALL_RSA_SIGNATURE_HASHES)
    wide.dhGroups = list(names.ALL_DH_GROUP_NAMES)
    wide.requireExtendedMasterSecret = False
    for name, value in narrowed.items():
        # Versions are pairs.
        setattr(wide, name, tuple(value) if name.endswith("Version") and isinstance(value, list) else value)
    return wide


def keypair(key: str, cert: str) -> tuple[X509CertChain, object]:
    chain = X509CertChain()
    chain.parsePemList(Path(cert).read_text())
    return chain, parsePEMKey(Path(key).read_text(), private=True, implementations=["python"])


def serve(
    connection: socket.socket, chain: X509CertChain, key: object, wide: HandshakeSettings, alpn: list[bytearray] | None
) -> None:
    # Whatever goes wrong with one client is that client's affair: tlslite-ng raises its own errors, ValueError, ...
    with contextlib.suppress(Exception), connection:
        connection.settimeout(10)
        secure = TLSConnection(connection)
        secure.handshakeServer(certChain=chain, privateKey=key, settings=wide, alpn=alpn)
        if secure.read(min=1, max=4096):
            secure.write(PAGE)
            secure.close()


def main() -> None:
    port, told, *files = sys.argv[1:]
    narrowed = json.loads(told)
    # Where it has none, its TLS 1.3 dies of those a client offers.
    alpn = [bytearray(name, "ascii") for name in narrowed.pop("alpn", ())] or None
    (chain, key), *others = map(keypair, files[::2], files[1::2])
    wide = settings(narrowed)
    for other_chain, other_key in others:
        host = VirtualHost()
        host.keys = [Keypair(other_key, other_chain.x509List)]
        wide.virtual_hosts.append(host)
    with socket.create_server(("127.0.0.1", int(port)), backlog=1024) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, chain, key, wide, alpn), daemon=True).start()


if __name__ == "__main__":
    main()
