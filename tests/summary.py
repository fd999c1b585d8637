"""What tests leave for the summary at the end of a run."""

from __future__ import annotations

import pytest

# Server -> version -> the key exchanges (TLS 1.3: groups) whose handshakes were completed.
COMPLETED = pytest.StashKey[dict[str, dict[str, list[str]]]]()
