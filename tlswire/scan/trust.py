"""Whom to trust: the stores of anchors that chains are validated against, read once.

``mozilla`` is certifi's list, ``system`` the bundle of this machine where it has one. Must not import ``report`` or
``cli``, nor any question.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlswire.certificates.stores import Anchors, read_anchors
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where Debian, Fedora, SUSE, Alpine and macOS keep the bundle; OpenSSL's variable goes first.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
MAX_BUNDLE = 1 << 24


def read_store(name: str, path: Path) -> Anchors:
    """The anchors of a PEM bundle or a DER file. Raises UsageError with the reason and the file."""
    try:
        if path.stat().st_size > MAX_BUNDLE:
            raise UsageError(str(path), f"is larger than {MAX_BUNDLE >> 20} MiB", "anchors")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}", "anchors") from None
    try:
        return read_anchors(name, data)
    except UsageError as error:
        raise UsageError(str(path), error.reason, "anchors") from None


@lru_cache(maxsize=1)
def public_store() -> Anchors:
    """Mozilla's list: what stands for the public CAs."""
    import certifi  # noqa: PLC0415 - only questions about certificates need it

    return read_anchors("mozilla", certifi.contents().encode("ascii"))


@lru_cache(maxsize=1)
def usual_stores() -> Mapping[str, Anchors]:
    """Mozilla's list, and this system's own where there is one."""
    stores = {"mozilla": public_store()}
    for bundle in (os.environ.get("SSL_CERT_FILE", ""), *_BUNDLES):
        if bundle and Path(bundle).is_file():
            try:
                stores["system"] = read_store("system", Path(bundle))
            except UsageError:
                continue
            break
    return stores
