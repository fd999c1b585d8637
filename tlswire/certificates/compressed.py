"""Compressed certificate messages taken apart, with a bound on what may come out (RFC 8879 section 4).

zlib comes with Python; brotli and zstandard are extras, loaded when a server uses them.
Must not import anything of tlswire but ``errors`` and ``registry``.
"""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tlswire.errors import WireError
from tlswire.registry import CERTIFICATE_COMPRESSION

if TYPE_CHECKING:
    from collections.abc import Callable

ZLIB, BROTLI, ZSTD = 1, 2, 3
# A chain is a few KiB; uint24 would allow 16 MiB out of a few bytes.
MAX_CERTIFICATES = 1 << 18


def _zlib(data: bytes, limit: int) -> bytes:
    engine = zlib.decompressobj()
    return engine.decompress(data, limit + 1)


def _brotli(data: bytes, limit: int) -> bytes:
    import brotli  # noqa: PLC0415 - an extra

    engine = brotli.Decompressor()
    return bytes(engine.process(data, output_buffer_limit=limit + 1))


def _zstd(data: bytes, limit: int) -> bytes:
    import zstandard  # noqa: PLC0415 - an extra

    with zstandard.ZstdDecompressor(max_window_size=1 << 24).stream_reader(data) as engine:
        return engine.read(limit + 1)


_ENGINES: dict[int, tuple[str, Callable[[bytes, int], bytes]]] = {
    ZLIB: ("zlib", _zlib),
    BROTLI: ("brotli", _brotli),
    ZSTD: ("zstandard", _zstd),
}


def available() -> tuple[int, ...]:
    """The algorithms that can be taken apart here, as offered in compress_certificate."""
    return tuple(code for code, (module, _) in _ENGINES.items() if find_spec(module) is not None)


def decompress(algorithm: int, data: bytes, length: int) -> bytes:
    """The Certificate message in ``data``, which must be exactly ``length`` bytes long. Raises WireError."""
    name = CERTIFICATE_COMPRESSION[algorithm].name
    if length > MAX_CERTIFICATES:
        reason = f"says that {length} bytes come out of {len(data)}; {MAX_CERTIFICATES} are the most taken"
        raise WireError(reason, "compressed_certificate.length")
    if algorithm not in available():
        raise WireError(f"algorithm {name} was not offered", "compressed_certificate.algorithm")
    try:
        out = _ENGINES[algorithm][1](data, length)
    except Exception as error:  # noqa: BLE001 - each engine has errors of its own
        raise WireError(f"{name}: {error}", "compressed_certificate.data") from None
    if len(out) != length:
        more = "more than " if len(out) > length else ""
        raise WireError(f"length says {length} bytes, {more}{min(len(out), length)} came out", "compressed_certificate")
    return out
