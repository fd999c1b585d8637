"""The bytes of an answer or a conversation that prove what is said of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.probe.exchange import FAULT, NOT_TLS
from tlswire.results.proof import Proof

if TYPE_CHECKING:
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.exchange import Answer

# Enough to prove a choice: the ServerHello stands at the beginning.
PROOF_BYTES = 256


def proof_of(answer: Answer | Conversation, received: int = PROOF_BYTES) -> Proof:
    """What was sent, and the first ``received`` bytes of what came back."""
    return Proof(answer.sent.hex(), answer.received[:received].hex())


def ending_of(answer: Answer | Conversation) -> str:
    """How it ended, in a few words: the alert, the rule that was broken, what cannot be computed here, or the ending."""
    unchecked = getattr(answer, "unchecked", "")
    return unchecked or (answer.reason if answer.kind in {FAULT, NOT_TLS} else answer.label)
