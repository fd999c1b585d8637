"""The bytes that prove a line of a result. Must not import anything of tlswire; holds no logic."""

from __future__ import annotations

import msgspec


class Proof(msgspec.Struct, frozen=True):
    """Bytes as hexadecimal: the hello sent and the beginning of the answer."""

    sent: str
    received: str
