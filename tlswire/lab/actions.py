"""What the responder tells the server to do on one connection, as data.

Must not import anything of tlswire.
"""

from __future__ import annotations

import msgspec


class Send(msgspec.Struct, frozen=True):
    """Send ``data``, ``times`` over."""

    data: bytes
    times: int = 1


class Wait(msgspec.Struct, frozen=True):
    """Do nothing for ``seconds``, then go on with the next action."""

    seconds: float


class Close(msgspec.Struct, frozen=True):
    """End with FIN."""


class Reset(msgspec.Struct, frozen=True):
    """End with RST."""


class Hold(msgspec.Struct, frozen=True):
    """Keep the connection open and never say anything more, whatever the client sends."""


class Die(msgspec.Struct, frozen=True):
    """End the whole server: every connection, and for a while those that come."""


Action = Send | Wait | Close | Reset | Hold | Die
