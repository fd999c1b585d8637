"""tlswire: TLS ClientHello scanner and wire-level analyzer in pure Python.

The public names; everything else is reached through its module. They load on first use (PEP 562), so importing the
package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tlswire.capture.reader import sessions
    from tlswire.check.client import check_host, check_host_async
    from tlswire.errors import LookupFailedError, TlswireError, UsageError, WireError
    from tlswire.handshake.conversation import Conversation
    from tlswire.hello.builder import Shape, client_hello, encode_client_hello, sslv2_client_hello
    from tlswire.probe.client import converse, converse_async, exchange, exchange_async
    from tlswire.probe.exchange import Answer
    from tlswire.probe.proxy import Proxy, parse_proxy
    from tlswire.results import Scan, Session, Verdict
    from tlswire.scan.pacing import Limits
    from tlswire.scan.scanner import Options, scan_address, scan_host, scan_host_async
    from tlswire.wire.handshake import parse_client_hello, parse_server_hello
    from tlswire.wire.messages import ClientHello, ServerHello
    from tlswire.wire.records import Deframer

_HOMES = {
    "tlswire.capture.reader": ("sessions",),
    "tlswire.check.client": ("check_host", "check_host_async"),
    "tlswire.errors": ("LookupFailedError", "TlswireError", "UsageError", "WireError"),
    "tlswire.handshake.conversation": ("Conversation",),
    "tlswire.hello.builder": ("Shape", "client_hello", "encode_client_hello", "sslv2_client_hello"),
    "tlswire.probe.client": ("converse", "converse_async", "exchange", "exchange_async"),
    "tlswire.probe.exchange": ("Answer",),
    "tlswire.probe.proxy": ("Proxy", "parse_proxy"),
    "tlswire.results": ("Scan", "Session", "Verdict"),
    "tlswire.scan.pacing": ("Limits",),
    "tlswire.scan.scanner": ("Options", "scan_address", "scan_host", "scan_host_async"),
    "tlswire.wire.handshake": ("parse_client_hello", "parse_server_hello"),
    "tlswire.wire.messages": ("ClientHello", "ServerHello"),
    "tlswire.wire.records": ("Deframer",),
}

__all__ = [
    "Answer",
    "ClientHello",
    "Conversation",
    "Deframer",
    "Limits",
    "LookupFailedError",
    "Options",
    "Proxy",
    "Scan",
    "ServerHello",
    "Session",
    "Shape",
    "TlswireError",
    "UsageError",
    "Verdict",
    "WireError",
    "__version__",
    "check_host",
    "check_host_async",
    "client_hello",
    "converse",
    "converse_async",
    "encode_client_hello",
    "exchange",
    "exchange_async",
    "parse_client_hello",
    "parse_proxy",
    "parse_server_hello",
    "scan_address",
    "scan_host",
    "scan_host_async",
    "sessions",
    "sslv2_client_hello",
]


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - nothing is imported before it is asked for

    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'tlswire' has no attribute {name!r}")
