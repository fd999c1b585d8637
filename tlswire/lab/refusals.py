"""What a client is refused with: alerts by name, and the error that carries one. Imports ``errors`` only."""

from __future__ import annotations

from tlswire.errors import WireError

CLOSE_NOTIFY, UNEXPECTED_MESSAGE, BAD_RECORD_MAC, DECRYPTION_FAILED, RECORD_OVERFLOW = 0, 10, 20, 21, 22
HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, DECODE_ERROR, DECRYPT_ERROR, PROTOCOL_VERSION = 40, 47, 50, 51, 70
INAPPROPRIATE_FALLBACK, NO_RENEGOTIATION, MISSING_EXTENSION, UNRECOGNIZED_NAME = 86, 100, 109, 112
UNSUPPORTED_EXTENSION, CERTIFICATE_REQUIRED, NO_APPLICATION_PROTOCOL = 110, 116, 120
WARNING, FATAL = 1, 2


class RefusedError(WireError):
    """What the client did breaks a rule.

    ``alert`` is the description of the alert it deserves, ``refusal`` how it is said where the character's own way
    (``Quirks.refusal``) is not the one.
    """

    def __init__(self, alert: int, refusal: str = "") -> None:
        super().__init__(f"refused with alert {alert}")
        self.alert = alert
        self.refusal = refusal
