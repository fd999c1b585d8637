"""What a check is to do: the policy, the client it speaks as, whom to trust, and the limits; the same for all targets.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.scan.pacing import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tlswire.certificates.stores import Anchors
    from tlswire.policy.model import Policy
    from tlswire.probe.proxy import Proxy
    from tlswire.probe.transport import Address
    from tlswire.wire.messages import ClientHello


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``client`` is the hello of the policy's client (None: its profile's); ``public`` are the anchors of public CAs,
    ``given`` the user's own by name, as devices get them in an enrollment profile. ``server_name`` as in
    ``scan.scanner.Options``; ``http``: ask for ``path`` once over HTTPS; ``proofs``: keep the bytes that prove a line;
    ``now`` is when certificates are judged (None: at the time of the visit). ``resolve`` are addresses of hosts and ports
    that the resolver is not asked for; ``first_address``: visit the first one of a name only. ``matrix`` are clients by name
    of which each is tried as well.
    """

    policy: Policy
    client: ClientHello | None = None
    public: Anchors
    given: Mapping[str, Anchors] = {}
    server_name: str | None = None
    starttls: str = ""
    proxy: Proxy | None = None
    http: bool = True
    path: str = "/"
    proofs: bool = False
    limits: Limits = Limits()
    seed: int = 0
    now: datetime | None = None
    resolve: Mapping[tuple[str, int], tuple[Address, ...]] = {}
    first_address: bool = False
    matrix: Mapping[str, ClientHello] = {}
