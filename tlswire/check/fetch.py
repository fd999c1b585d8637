"""One GET as an attempt the prober can make: a handshake of the client's, then the request.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tlswire.check import http
from tlswire.check.clients import for_http
from tlswire.handshake.client import Client
from tlswire.handshake.offer import offer
from tlswire.scan.attempts import Attempt

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello


def get(url: str, hello: ClientHello, seed: float) -> Attempt:
    """The attempt to GET ``url`` as the client with this hello; what comes back is the conversation's ``application``."""
    asking = for_http(hello)

    def make() -> Client:
        rng = random.Random(seed)
        return Client(offer(asking, rng), rng, request=http.request(url))

    return Attempt("GET", make)
