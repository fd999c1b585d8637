"""``tlswire hello``: builds a ClientHello from options, or changes parts of an existing one, and writes its bytes.

Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``hello`` and this package; what a hello
holds is decided by ``hello.builder``, how an existing one is changed by ``hello.edit``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from tlswire.cli.decode import read_bytes
from tlswire.cli.hello_source import profile_lines
from tlswire.errors import LookupFailedError, UsageError
from tlswire.hello import edit
from tlswire.hello.builder import (
    SSLV2_VERSION,
    TLS12_VERSION,
    TLS13_VERSION,
    Shape,
    client_hello,
    sslv2_client_hello,
)
from tlswire.hello.profiles import profile, profile_hello
from tlswire.registry import ALPN, GROUPS, SCHEMES, SSLV2_KINDS, SUITES, VERSIONS
from tlswire.wire.messages import ClientHello

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.registry import SuiteRow, Table
    from tlswire.wire.sslv2 import SSLv2ClientHello

# What a client of today offers, with enough behind it for older versions; best first.
_SUITE_NAMES = (
    "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"
    " ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384"
    " ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305"
    " ECDHE-RSA-AES128-SHA ECDHE-RSA-AES256-SHA AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA AES256-SHA"
    " DES-CBC3-SHA"
)
EVERYDAY_SUITES = tuple(SUITES.find(name).code for name in _SUITE_NAMES.split())
EVERYDAY_GROUPS = (0x11EC, 0x001D, 0x0017, 0x0018, 0x0019)
EVERYDAY_SHARES = (0x001D, 0x0017)
EVERYDAY_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)

_SHORT_VERSIONS = {f"1.{minor}": f"TLS 1.{minor}" for minor in range(4)} | {"ssl2": "SSLv2", "ssl3": "SSLv3"}
# Extensions that hold a proof over the hello itself.
_SEALED = {41: "PSK binders", 0xFE0D: "Encrypted ClientHello"}


class Parts(msgspec.Struct, frozen=True):
    """The parts of a hello that options name; None where they say nothing."""

    versions: tuple[int, ...] | None = None
    suites: tuple[str, ...] | None = None
    server_name: bytes | None = None
    alpn: tuple[bytes, ...] | None = None
    groups: tuple[int, ...] | None = None
    key_shares: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None
    no_extensions: bool | None = None
    record_version: int | None = None
    record_size: int | None = None


# How each part of an existing hello is replaced; versions and suites are handled where they are looked up.
_EDITS: dict[str, Callable[[ClientHello, Any], ClientHello]] = {
    "versions": edit.with_versions,
    "server_name": edit.with_server_name,
    "alpn": edit.with_alpn,
    "groups": edit.with_groups,
    "key_shares": edit.with_key_shares,
    "schemes": edit.with_schemes,
}

# The parts that an SSLv2 hello has no place for, and the extensions among them.
_OPTIONS = {
    "server_name": "--server-name",
    "alpn": "--alpn",
    "groups": "--group",
    "key_shares": "--key-share",
    "schemes": "--scheme",
    "no_extensions": "--no-extensions",
    "record_version": "--record-version",
    "record_size": "--record-size",
}
_EXTENSIONS = ("server_name", "alpn", "groups", "key_shares", "schemes")


@click.command()
@click.option(
    "--version",
    "versions",
    multiple=True,
    metavar="V",
    help="Version to offer, such as TLS1.2 (repeatable; default TLS 1.3 and 1.2).",
)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="NAME|CODE",
    help="Suite to offer: IANA or OpenSSL name, code, or names joined by colons (repeatable).",
)
@click.option("--server-name", metavar="NAME", help="Server name (SNI).")
@click.option("--alpn", multiple=True, metavar="P", help="ALPN protocol, such as h2 (repeatable).")
@click.option("--group", "groups", multiple=True, metavar="G", help="Group in supported_groups (repeatable).")
@click.option(
    "--key-share",
    "key_shares",
    multiple=True,
    metavar="G",
    help="Group to send a key share for (repeatable); none sends an empty list.",
)
@click.option("--scheme", "schemes", multiple=True, metavar="S", help="Signature scheme (repeatable).")
@click.option("--no-extensions", is_flag=True, help="A hello that ends after the compression methods.")
@click.option("--sslv2", is_flag=True, help="An SSLv2 hello; suites are SSLv2 cipher kinds.")
@click.option("--sslv2-framed", is_flag=True, help="A hello for SSLv3 or TLS in SSLv2 form (RFC 5246 E.2).")
@click.option("--record-version", metavar="V", help="Version in the record headers.")
@click.option(
    "--record-size", type=click.IntRange(1, 0xFFFF), metavar="N", help="Most bytes of the message per record."
)
@click.option("--seed", type=int, help="Fixes random and session id (default 0); with --from gives it new ones.")
@click.option(
    "--from",
    "origin",
    metavar="FILE|HEX|-",
    help="Change this hello instead: what no option names stays byte for byte.",
)
@click.option("--profile", "client", metavar="NAME", help="The hello of this client instead, of any --seed.")
@click.option("--profiles", "listing", is_flag=True, help="List the clients that --profile knows, and stop.")
@click.option(
    "--layer",
    type=click.Choice(get_args(edit.Layer)),
    help="Write records, the handshake message or its body (default: record, or what --from holds).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["hex", "raw", "dump", "c", "python"]),
    help="Default: hex, and raw with --output.",
)
@click.option("--output", metavar="FILE", help="Write to FILE instead of stdout.")
def command(
    versions: tuple[str, ...],
    suites: tuple[str, ...],
    server_name: str | None,
    alpn: tuple[str, ...],
    groups: tuple[str, ...],
    key_shares: tuple[str, ...],
    schemes: tuple[str, ...],
    *,
    no_extensions: bool,
    sslv2: bool,
    sslv2_framed: bool,
    record_version: str | None,
    record_size: int | None,
    seed: int | None,
    origin: str | None,
    client: str | None,
    listing: bool,
    layer: edit.Layer | None,
    form: str | None,
    output: str | None,
) -> None:
    """Build a ClientHello and print its bytes; `tlswire hello | tlswire decode` explains them.

    The same options give the same bytes. With --from and --profile, parts of an existing hello are replaced in place.
    """
    if listing:
        click.echo("\n".join(profile_lines()))
        return
    parts = Parts(
        versions=tuple(map(_version, versions)) or None,
        suites=tuple(name for text in suites for name in _split(text)) or None,
        server_name=None if server_name is None else _server_name(server_name),
        alpn=tuple(map(_protocol, alpn)) or None,
        groups=_codes(GROUPS, groups),
        key_shares=() if key_shares == ("none",) else _codes(GROUPS, key_shares),
        schemes=_codes(SCHEMES, schemes),
        no_extensions=no_extensions or None,
        record_version=None if record_version is None else _version(record_version),
        record_size=record_size,
    )
    if origin is not None or client is not None:
        option = "--profile" if origin is None else "--from"
        if sslv2 or sslv2_framed:
            raise UsageError(option, "keeps the form of its hello; leave out --sslv2 and --sslv2-framed")
        if origin is not None and client is not None:
            raise UsageError("--profile", "is a hello of its own; leave out --from")
    if client is not None:
        sample = _as_client(client, parts, Random(seed or 0))
    elif origin is not None:
        sample = _changed(edit.read_hello(read_bytes(origin)), parts, seed)
    elif sslv2 or sslv2_framed or parts.versions == (SSLV2_VERSION,):
        sample = _sslv2(parts, Random(seed or 0), framed=sslv2_framed)
    else:
        sample = _built(parts, Random(seed or 0))
    _write(sample.encode(layer), form or ("raw" if output else "hex"), output)


def _built(parts: Parts, rng: Random) -> edit.Sample:
    _refuse_contradictions(parts)
    versions = parts.versions or ((TLS12_VERSION,) if parts.no_extensions else (TLS13_VERSION, TLS12_VERSION))
    if SSLV2_VERSION in versions:
        raise UsageError("--version SSLv2", "cannot be offered beside others; see --sslv2-framed")
    groups = EVERYDAY_GROUPS if parts.groups is None else parts.groups
    shares = parts.key_shares
    if shares is None:
        shares = tuple(code for code in EVERYDAY_SHARES if code in groups) or groups[:1]
    shape = Shape(
        server_name=parts.server_name,
        alpn=parts.alpn or (),
        groups=groups,
        key_shares=shares,
        schemes=EVERYDAY_SCHEMES if parts.schemes is None else parts.schemes,
        extensions=not parts.no_extensions,
    )
    suites = _suites(parts.suites, SUITES) or _everyday(versions)
    hello = client_hello(versions, suites, rng=rng, shape=shape)
    # What was asked for by name is there, whether or not it makes sense under the version.
    return _reframed(edit.Sample(_edited(hello, parts)), parts)


def _as_client(name: str, parts: Parts, rng: Random) -> edit.Sample:
    _refuse_contradictions(parts)
    hello = profile_hello(profile(name), rng=rng, server_name=parts.server_name)
    return _reframed(edit.Sample(_edited(hello, parts)), parts)


def _sslv2(parts: Parts, rng: Random, *, framed: bool) -> edit.Sample:
    _refuse_extensions(parts)
    version = max(parts.versions or ((TLS12_VERSION,) if framed else (SSLV2_VERSION,)))
    if framed:
        kinds = _suites(parts.suites, SUITES, SSLV2_KINDS) or _everyday((version,))
    else:
        kinds = _suites(parts.suites, SSLV2_KINDS) or tuple(
            row.code for row in SSLV2_KINDS if row.status == "ssl2-spec"
        )
    return edit.read_hello(sslv2_client_hello(kinds, rng=rng, version=version))


def _changed(sample: edit.Sample, parts: Parts, seed: int | None) -> edit.Sample:
    """The hello of ``--from`` with the parts that options name."""
    if sample.rest:
        click.echo(f"tlswire: {len(sample.rest)} bytes before or after the hello are left out", err=True)
    before = sample.hello
    if isinstance(before, ClientHello):
        _refuse_contradictions(parts)
        hello: ClientHello | SSLv2ClientHello = _edited(_reseeded(before, seed), parts)
        for code in _SEALED.keys() & set(before.extension_types) if hello != before else ():
            click.echo(f"tlswire: {_SEALED[code]} of the hello are proof of its old bytes", err=True)
    else:
        _refuse_extensions(parts)
        tables = (SSLV2_KINDS, SUITES) if before.version == SSLV2_VERSION else (SUITES, SSLV2_KINDS)
        hello = msgspec.structs.replace(
            before,
            version=max(parts.versions or (before.version,)),
            kinds=_suites(parts.suites, *tables) or before.kinds,
            challenge=before.challenge if seed is None else Random(seed).randbytes(len(before.challenge)),
        )
    return _reframed(msgspec.structs.replace(sample, hello=hello), parts)


def _edited(hello: ClientHello, parts: Parts) -> ClientHello:
    suites = _suites(parts.suites, SUITES)
    if suites:
        hello = edit.with_suites(hello, suites)
    for name, replace in _EDITS.items():
        value = getattr(parts, name)
        if value is not None:
            hello = replace(hello, value)
    return msgspec.structs.replace(hello, extensions=None) if parts.no_extensions else hello


def _reseeded(hello: ClientHello, seed: int | None) -> ClientHello:
    if seed is None:
        return hello
    rng = Random(seed)
    return msgspec.structs.replace(hello, random=rng.randbytes(32), session_id=rng.randbytes(len(hello.session_id)))


def _reframed(sample: edit.Sample, parts: Parts) -> edit.Sample:
    if parts.record_version is None and parts.record_size is None:
        return sample
    return edit.reframed(sample, version=parts.record_version, size=parts.record_size)


def _refuse_contradictions(parts: Parts) -> None:
    if parts.no_extensions:
        _refuse(parts, "--no-extensions leaves no place for it", *_EXTENSIONS)


def _refuse_extensions(parts: Parts) -> None:
    _refuse(parts, "an SSLv2 hello has neither extensions nor TLS records", *_OPTIONS)


def _refuse(parts: Parts, reason: str, *names: str) -> None:
    for name in names:
        if getattr(parts, name) is not None:
            raise UsageError(_OPTIONS[name], reason)


def _version(text: str) -> int:
    row = VERSIONS.find(_SHORT_VERSIONS.get(text.lower(), text))
    if row.transport == "udp":
        raise UsageError(row.name, "hellos of DTLS cannot be built")
    return row.code


def _codes(table: Table[Any], names: tuple[str, ...]) -> tuple[int, ...] | None:
    return tuple(table.find(name).code for name in names) or None


def _split(text: str) -> list[str]:
    names = text.split(":")
    if "" in names:
        raise UsageError(repr(text), "holds an empty name", "--suite")
    return names


def _suites(names: tuple[str, ...] | None, *tables: Table[SuiteRow]) -> tuple[int, ...]:
    return tuple(_suite(name, *tables) for name in names or ())


def _suite(name: str, *tables: Table[SuiteRow]) -> int:
    failures = []
    for table in tables:
        try:
            return table.find(name).code
        except LookupFailedError as error:
            failures.append(error)
    raise failures[0]


def _everyday(versions: tuple[int, ...]) -> tuple[int, ...]:
    """The everyday suites that one of ``versions`` knows; all of them where no version is known."""
    spans = {
        code: (VERSIONS.find(SUITES[code].min_version).code, VERSIONS.find(SUITES[code].max_version).code)
        for code in EVERYDAY_SUITES
    }
    return (
        tuple(
            code for code, (oldest, newest) in spans.items() if any(oldest <= version <= newest for version in versions)
        )
        or EVERYDAY_SUITES
    )


def _server_name(text: str) -> bytes:
    """The name as A-labels; an ASCII name is sent as it is, however odd."""
    raw = os.fsencode(text)
    if raw.isascii():
        return raw
    import idna  # noqa: PLC0415 - few names need it

    try:
        return idna.encode(text, uts46=True)
    except (idna.IDNAError, UnicodeError) as error:
        raise UsageError(repr(text), f"is no host name: {error}", "--server-name") from None


def _protocol(text: str) -> bytes:
    return next((row.raw for row in ALPN if row.name == text), os.fsencode(text))


def _as_c(data: bytes) -> str:
    rows = [", ".join(f"0x{byte:02x}" for byte in data[at : at + 12]) for at in range(0, len(data), 12)]
    lines = ",\n".join(f"    {row}" for row in rows)
    return f"static const unsigned char client_hello[{len(data)}] = {{\n{lines}\n}};"


def _as_python(data: bytes) -> str:
    rows = "\n".join(f'    "{data[at : at + 32].hex()}"' for at in range(0, len(data), 32))
    return f"CLIENT_HELLO = bytes.fromhex(\n{rows}\n)"


def _as_dump(data: bytes) -> str:
    """As ``hexdump -C`` without its text column: what text2pcap and ``tlswire decode`` read."""
    return "\n".join(f"{at:08x}  {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16))


_TEXTS: dict[str, Callable[[bytes], str]] = {
    "hex": lambda data: data.hex(),
    "dump": _as_dump,
    "c": _as_c,
    "python": _as_python,
}


def _write(data: bytes, form: str, output: str | None) -> None:
    content = data if form == "raw" else f"{_TEXTS[form](data)}\n".encode("ascii")
    if output is None or output == "-":
        if form == "raw" and sys.stdout.isatty():
            raise UsageError("--format raw", "not to a terminal; name a file with --output")
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()  # a reader that left is noticed here, not at the interpreter's end
        return
    try:
        Path(output).write_bytes(content)
    except (OSError, ValueError) as error:
        raise UsageError(output, f"cannot be written: {getattr(error, 'strerror', error)}", "--output") from None
