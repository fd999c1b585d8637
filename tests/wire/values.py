"""Values of any grammar, from the strategies that are public, and those that no grammar alone can make."""

from __future__ import annotations

from tlswire.fuzz.values import STRATEGIES, values
from tlswire.wire.messages import HRR_RANDOM, ServerHello

__all__ = ["STRATEGIES", "as_retry", "values"]


def as_retry(hello: ServerHello) -> ServerHello:
    """``hello`` with the random that makes it a HelloRetryRequest."""
    return ServerHello(
        hello.legacy_version, HRR_RANDOM, hello.session_id, hello.suite, hello.compression, hello.extensions
    )
