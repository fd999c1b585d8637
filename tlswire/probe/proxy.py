"""Proxies on the way to a server: HTTP CONNECT and SOCKS5, as users write them and as dialogues.

Sources: RFC 9110 section 9.3.6 (CONNECT), RFC 7617 (Basic), RFC 1928 and 1929 (SOCKS5). User names and passwords are
sent and never told. Must not import anything above ``probe``.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.errors import UsageError
from tlswire.probe import transport
from tlswire.probe.dialogue import NEVER, Step, counted, sized, told
from tlswire.probe.transport import Address

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMES = ("http", "socks5", "socks5h")
_FORM = "write http://, socks5:// or socks5h://, then [user:password@]host:port"


class Proxy(msgspec.Struct, frozen=True):
    """A proxy: ``http`` and ``socks5h`` resolve the names of servers themselves, for ``socks5`` they are resolved here.

    ``at`` is its address, once that is known (``resolved``). ``str`` and ``repr`` leave out who asks.
    """

    scheme: Literal["http", "socks5", "socks5h"]
    host: str
    port: int
    user: str = ""
    password: str = ""
    at: Address | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({str(self)!r})"

    @property
    def resolves(self) -> bool:
        """Whether names of servers are the proxy's to resolve."""
        return self.scheme != "socks5"


def parse_proxy(url: str) -> Proxy:
    """The proxy of a URL. Raises UsageError, which does not repeat what may hold a password."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - few scans go through a proxy

    from tlswire.probe.targets import parse_target  # noqa: PLC0415 - as above

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError("proxy", _FORM) from None
    scheme, host = parts.scheme, parts.hostname
    if scheme not in SCHEMES or not host or not port or parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError("proxy", _FORM)
    try:
        (target,) = parse_target(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except UsageError as error:
        raise UsageError(repr(host), error.reason, "proxy") from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if max(len(user.encode()), len(password.encode())) > 255 or (scheme == "http" and ":" in user):
        raise UsageError("proxy", "its user name or password cannot be sent (RFC 1929 section 2, RFC 7617 section 2)")
    return Proxy(scheme, target.host, port, user, password)  # type: ignore[arg-type]  # one of SCHEMES


async def resolved(proxy: Proxy | None) -> Proxy | None:
    """The proxy with its address. Raises UsageError when its name has none."""
    if proxy is None or proxy.at is not None:
        return proxy
    return msgspec.structs.replace(proxy, at=(await transport.resolve(proxy.host, proxy.port))[0])


async def addresses(host: str, port: int, proxy: Proxy | None) -> tuple[Address, ...]:
    """Every address of ``host``: those the resolver knows, or the name itself where the proxy resolves names.

    Raises UsageError when the name has no address.
    """
    if proxy is not None and proxy.resolves and not transport.is_numeric(host):
        if not re.fullmatch(r"[\w.-]{1,253}", host, re.ASCII):
            raise UsageError(repr(host), "is no host name")
        return (Address(host, port, transport.UNRESOLVED),)
    return await transport.resolve(host, port)


def steps(proxy: Proxy, target: Address) -> tuple[Step, ...]:
    """The dialogue that leads to ``target``."""
    return _connect(proxy, target) if proxy.scheme == "http" else _socks5(proxy, target)


def secrets(proxy: Proxy) -> tuple[bytes, ...]:
    """What of the dialogue nobody may read: the password, and what Basic makes of it."""
    return tuple(secret for secret in (_basic(proxy), proxy.password.encode()) if secret)


def _basic(proxy: Proxy) -> bytes:
    return base64.b64encode(f"{proxy.user}:{proxy.password}".encode()) if proxy.user or proxy.password else b""


# HTTP: one request, one header. A 2xx answer to CONNECT has no body (RFC 9110 section 9.3.6).


def _connect(proxy: Proxy, target: Address) -> tuple[Step, ...]:
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode("ascii")
    said = shown = request
    if secret := _basic(proxy):
        said += b"Proxy-Authorization: Basic %s\r\n" % secret
        shown += b"Proxy-Authorization: Basic ***\r\n"
    return (Step(said + b"\r\n", sized(_header), _connected, shown=shown + b"\r\n"),)


def _header(data: bytes) -> int:
    if not (data.startswith(b"HTTP/1.") or b"HTTP/1.".startswith(data)):
        return NEVER
    end = data.find(b"\r\n\r\n")
    return end + 4 if end >= 0 else 0


def _connected(reply: bytes) -> str:
    return "" if re.match(rb"HTTP/1\.\d 2\d\d\b", reply) else told(reply.partition(b"\r\n")[0])


# SOCKS5: how to authenticate, perhaps who asks, where to.

_NONE, _PASSWORD, _UNACCEPTABLE = 0, 2, 0xFF
_REPLIES = {
    1: "general failure",
    2: "connection not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


def _socks5(proxy: Proxy, target: Address) -> tuple[Step, ...]:
    user, password = proxy.user.encode(), proxy.password.encode()
    methods = bytes([_NONE, _PASSWORD] if user or password else [_NONE])

    def who(reply: bytes) -> bytes | None:
        if reply[1] == _NONE:
            return None
        return bytes([1, len(user)]) + user + bytes([len(password)]) + password

    return (
        Step(bytes([5, len(methods)]) + methods, sized(_pair(5)), lambda reply: _method(reply, methods)),
        Step(who, sized(_pair(1)), _let_in, shown=b"\x01\x03***\x03***"),
        Step(b"\x05\x01\x00" + _address(target), sized(_socks_reply), _succeeded),
    )


def _address(target: Address) -> bytes:
    if transport.is_numeric(target.host):
        import ipaddress  # noqa: PLC0415 - few scans go through a proxy

        packed = ipaddress.ip_address(target.host.partition("%")[0]).packed
        kind = b"\x01" if len(packed) == 4 else b"\x04"
    else:
        name = target.host.encode("ascii")
        kind, packed = b"\x03", bytes([len(name)]) + name
    return kind + packed + target.port.to_bytes(2, "big")


def _pair(version: int) -> Callable[[bytes], int]:
    return lambda data: counted(data, 2) if data[0] == version else NEVER


def _method(reply: bytes, methods: bytes) -> str:
    if reply[1] in methods:
        return ""
    if reply[1] == _UNACCEPTABLE:
        return "none of our ways to authenticate will do" if len(methods) > 1 else "it wants a user name and password"
    return f"it wants authentication method {reply[1]}, which was not offered"


def _let_in(reply: bytes) -> str:
    return "" if reply[1] == 0 else "wrong user name or password"


def _socks_reply(data: bytes) -> int:
    if data[0] != 5:
        return NEVER
    if len(data) >= 4 and data[1]:
        return 4  # refused: where it would have been bound does not matter, and not every proxy says it well
    if len(data) < 5:
        return 0
    length = {1: 4, 4: 16, 3: 1 + data[4]}.get(data[3])
    return NEVER if length is None else counted(data, 4 + length + 2)


def _succeeded(reply: bytes) -> str:
    return "" if reply[1] == 0 else _REPLIES.get(reply[1], f"reply {reply[1]}")
