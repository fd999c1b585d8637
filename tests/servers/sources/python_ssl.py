"""A threaded server on Python's own `ssl`: python_ssl.py PORT CIPHERS DHPARAM COMBINED_PEM..."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import warnings

PAGE = b"HTTP/1.0 200 OK\r\n\r\ntlswire\n"


def serve(context: ssl.SSLContext, connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        connection.settimeout(10)
        with context.wrap_socket(connection, server_side=True) as secure:
            if secure.recv(4096):
                secure.sendall(PAGE)


def main() -> None:
    port, ciphers, dhparam, *pems = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    warnings.simplefilter("ignore", DeprecationWarning)
    context.set_ciphers(ciphers)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.load_dh_params(dhparam)
    for pem in pems:
        context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", int(port)), backlog=1024) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(context, connection), daemon=True).start()


if __name__ == "__main__":
    main()
