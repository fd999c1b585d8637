"""The valid hellos all other cases start from.

Must not import anything of tlswire but ``fuzz``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import Rows, modern, older
from tlswire.fuzz.model import NEGOTIATE
from tlswire.fuzz.script import TLS12, TLS13

rows = Rows("baseline", "RFC 9846 4.2.2 (RFC 8446 4.1.2)")
CASES = (
    rows.must("B01", "tls13-base", "valid TLS 1.3+1.2 hello", modern(), NEGOTIATE, version=TLS13, needs=("tls13",)),
    rows.must(
        "B02",
        "tls12-base",
        "valid TLS 1.2 hello without supported_versions",
        older(),
        NEGOTIATE,
        clause="RFC 5246 7.4.1.2",
        version=TLS12,
    ),
)
