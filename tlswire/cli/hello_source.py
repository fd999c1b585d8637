"""Hellos that a command is told to send: a client's by the name of its profile, or one from a file.

Must not import anything of tlswire but ``errors``, ``escape``, ``wire``, ``hello`` and this package.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tlswire.cli.decode import read_bytes
from tlswire.errors import UsageError, WireError
from tlswire.escape import printable
from tlswire.hello.edit import read_hello
from tlswire.hello.fingerprints import ja4
from tlswire.hello.profiles import profile, profile_hello, profile_names
from tlswire.hello.replay import replayed
from tlswire.wire.messages import ClientHello

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUIC_PARAMETERS = frozenset({57, 0xFFA5})
_EXAMPLE = b"example.com"


def hello_as(source: str, *, rng: Random, server_name: bytes | None, where: str = "--as") -> ClientHello:
    """The hello that ``source`` names, with ``server_name``: of a profile, or that of a file, hex or ``-`` (stdin) made
    fit to be sent again. Without ``server_name`` a profile's names none, a file's what it named before.

    Raises UsageError, from option ``where``, for what is neither and for hellos that do not go over TCP.
    """
    if source in profile_names():
        return profile_hello(profile(source), rng=rng, server_name=server_name)
    try:
        hello = read_hello(read_bytes(source)).hello
    except UsageError as error:
        raise UsageError(
            error.what, f"{error.reason}; `tlswire hello --profiles` lists the clients known by name", where
        ) from None
    except WireError as error:
        raise UsageError(printable(source[:80]), f"holds no ClientHello: {error}", where) from None
    if not isinstance(hello, ClientHello):
        raise UsageError(printable(source[:80]), "holds a hello in SSLv2 form", where)
    if hello.legacy_version >> 8 == 0xFE:
        raise UsageError(printable(source[:80]), "holds a hello of DTLS", where)
    if not _QUIC_PARAMETERS.isdisjoint(hello.extension_types):
        # RFC 9001 section 8.2: servers refuse it outside QUIC.
        raise UsageError(printable(source[:80]), "holds a hello of QUIC", where)
    return replayed(hello, rng=rng, server_name=server_name)


def profile_lines() -> Iterator[str]:
    """The profiles that are shipped: name, JA4 (with a server name), what it is, and below it where it was read."""
    names = profile_names()
    width = max(map(len, names))
    for name in names:
        client = profile(name)
        mark = ja4(profile_hello(client, rng=Random(0), server_name=_EXAMPLE), "t").ja4
        yield f"{name:<{width}}  {mark}  {client.title}" + (" (synthetic)" if client.synthetic else "")
        yield f"{'':<{width}}  {client.source}"
