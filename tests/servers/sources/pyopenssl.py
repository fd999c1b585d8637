"""A threaded server on the OpenSSL inside the `cryptography` wheel: pyopenssl.py PORT COMBINED_PEM...

Versions, suites and groups come from the file OPENSSL_CONF names: pyOpenSSL itself has no call that sets groups.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

from OpenSSL import SSL

PAGE = b"HTTP/1.0 200 OK\r\n\r\ntlswire\n"


def serve(context: SSL.Context, connection: socket.socket) -> None:
    # Blocking, without a timeout: pyOpenSSL turns one into WantReadError. The thread ends with the client.
    with contextlib.suppress(SSL.Error, OSError), connection:
        secure = SSL.Connection(context, connection)
        secure.set_accept_state()
        secure.do_handshake()
        if secure.recv(4096):
            secure.sendall(PAGE)
            secure.shutdown()


def main() -> None:
    port, *pems = sys.argv[1:]
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    for pem in pems:
        context.use_certificate_file(pem)
        context.use_privatekey_file(pem)
    with socket.create_server(("127.0.0.1", int(port)), backlog=1024) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(context, connection), daemon=True).start()


if __name__ == "__main__":
    main()
