"""Targets as users write them: host, host:port, [v6]:port, URLs' hosts, CIDR blocks, files with one a line.

Parsing only; names are resolved by ``probe.transport``. Every fault is a UsageError that says where it stands.
Must not import anything of tlswire but ``errors``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT_PORT = 443
# A /16 of IPv4: more is a census, not a scan.
MAX_ADDRESSES = 1 << 16
MAX_FILE = 1 << 24
# Labels of host names; underscores are none of RFC 1123's, but are resolved.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


class HostPort(msgspec.Struct, frozen=True):
    """A host name (A-label) or numeric address, and a port."""

    host: str
    port: int


def parse_target(text: str, *, default_port: int = DEFAULT_PORT, where: str = "") -> Iterator[HostPort]:
    """The targets that ``text`` names: one, or every address of a CIDR block. Raises UsageError."""
    text = text.strip()
    if "/" in text:
        yield from _block(text, default_port, where)
        return
    host, port = _split(text, default_port, where)
    yield HostPort(_host(host, text, where), port)


def read_targets(path: Path, *, default_port: int = DEFAULT_PORT) -> list[HostPort]:
    """The targets of a file: one a line, ``#`` begins a comment. Raises UsageError for an empty or binary file."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise UsageError(str(path), f"is larger than {MAX_FILE >> 20} MiB")
        data = path.read_bytes()
        lines = data.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(str(path), f"is not a text file (byte {error.start})") from None
    if b"\0" in data:
        raise UsageError(str(path), f"is not a text file (byte {data.index(0)})")
    found: list[HostPort] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text:
            found += parse_target(text, default_port=default_port, where=f"{path}:{number}")
    if not found:
        raise UsageError(str(path), "holds no target")
    return list(dict.fromkeys(found))


def _block(text: str, default_port: int, where: str) -> Iterator[HostPort]:
    block, port = text, default_port
    if "]:" in text or (text.count(":") == 1 and not text.startswith("[")):
        block, _, digits = text.rpartition(":")
        port = _port(digits, text, where)
    try:
        network = ipaddress.ip_network(block.strip("[]"), strict=False)
    except ValueError as error:
        raise UsageError(repr(text), f"is no CIDR block: {error}", where) from None
    if network.num_addresses > MAX_ADDRESSES:
        raise UsageError(repr(text), f"has {network.num_addresses} addresses; {MAX_ADDRESSES} are the most", where)
    for address in network.hosts():
        yield HostPort(str(address), port)


def _split(text: str, default_port: int, where: str) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise UsageError(repr(text), "write [IPv6 address]:port", where)
        return host, _port(rest[1:], text, where) if rest else default_port
    if text.count(":") > 1:
        return text, default_port
    host, colon, digits = text.partition(":")
    return host, _port(digits, text, where) if colon else default_port


def _port(digits: str, text: str, where: str) -> int:
    if digits.isascii() and digits.isdigit() and 0 < int(digits[:6]) < 65536:
        return int(digits)
    raise UsageError(repr(text), f"{digits!r} is no port (1 to 65535)", where)


def _host(host: str, text: str, where: str) -> str:
    if ":" in host or (host and host[-1].isdigit()):
        try:
            # An IPv6 zone (fe80::1%eth0) is not the address's own, but goes with it to the socket.
            return str(ipaddress.ip_address(host))
        except ValueError as error:
            raise UsageError(repr(text), f"is no address: {error}", where) from None
    name = host
    if not host.isascii():
        import idna  # noqa: PLC0415 - few names need it

        try:
            name = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise UsageError(repr(text), f"is no host name: {error}", where) from None
    if not _NAME.fullmatch(name.rstrip(".")) or len(name) > 253:
        raise UsageError(repr(text), "is no host name", where)
    return name
