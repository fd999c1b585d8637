"""``tlswire.finding/1``: one finding of a campaign with everything that proves it and that it takes to send it again.

Must not import anything of tlswire but the rest of ``results``; holds no logic.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from tlswire.results.scan import Target, Tool  # noqa: TC001 - msgspec reads the annotations

FINDING_SCHEMA: Literal["tlswire.finding/1"] = "tlswire.finding/1"

# Bytes as hex; a finding that was edited by hand may hold anything else.
Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-fA-F]{2})*$")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection sends: ``payload`` in TCP segments that end at the byte offsets ``cuts``, ``pause`` seconds
    apart, with FIN behind it where ``fin`` says so.

    ``message`` is the hello in it with its header (empty: there is none). ``again`` is what was sent for a
    HelloRetryRequest, and ``again_message`` the hello in that. ``tail``: more than a hello was sent, so what comes
    behind a complete flight counts. ``secret`` is that of the session which the hello offers to resume. ``client``: the
    hello was sent under the keys of a handshake before it, so these are not its bytes; the case itself is run again.
    """

    payload: Hex
    message: Hex
    cuts: list[Count]
    pause: Annotated[float, msgspec.Meta(ge=0, le=60)]
    fin: bool
    tail: bool
    again: Hex
    again_message: Hex
    secret: Hex
    client: bool


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What a server did: classes and messages as in ``tlswire.fuzz/1``; ``faults`` are kinds of what is wrong with the
    answer itself, ``ending`` is how the connection ended, ``elapsed_s`` after how many seconds.
    """

    first: str
    reaction: str
    flight: list[str]
    version: str | None
    faults: list[str]
    ending: str
    elapsed_s: float


class ProvenFinding(msgspec.Struct, frozen=True, kw_only=True):
    """``tlswire.finding/1``: one case that deviates, as it was confirmed.

    ``cause``, ``text``, ``differences`` and ``allowed`` are as in ``tlswire.fuzz/1``; ``stack`` is the server's software
    as far as somebody said what it is; ``features`` are what it was judged on. ``seed`` and the server name of ``target``
    give the keys behind the hello. ``sent`` and ``received`` are all bytes of one connection, ``local`` our end of it,
    ``confirmed`` when it was seen for the last time (RFC 3339, UTC), ``contacts`` how often.
    """

    schema: Literal["tlswire.finding/1"] = FINDING_SCHEMA
    cause: str
    level: Literal["MUST", "SHOULD", "MAY", "unspecified"]
    case: str
    name: str
    group: str
    clause: str
    text: str
    history: str
    differences: list[str]
    allowed: list[str]
    reaction: Reaction
    target: Target
    seed: int
    stack: str | None
    features: list[str]
    script: Sent
    sent: Hex
    received: Hex
    local: str
    local_port: Count
    confirmed: str
    contacts: int
    tool: Tool
