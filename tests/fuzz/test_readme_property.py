"""The property tests of README.md and docs/fuzz.md run as printed: they pass where a server keeps its word, else they fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tlswire.lab.server import running

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("document", "character", "chosen", "outcome"),
    [
        ("docs/fuzz.md", "modern", "test", "2 passed"),
        ("docs/fuzz.md", "plain-http", "every", "1 failed, 1 deselected"),
        ("README.md", "modern", "test", "1 passed"),
        ("README.md", "plain-http", "test", "1 failed"),
    ],
)
def test_the_printed_property_test_judges_a_server(
    document: str, character: str, chosen: str, outcome: str, tmp_path: Path
) -> None:
    text = (PROJECT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if "hypothesis" in block)
    (tmp_path / "test_my_server.py").write_text(code, encoding="utf-8")
    with running(character) as lab:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-k", chosen, "-p", "no:cacheprovider", "test_my_server.py"],
            cwd=tmp_path,
            env=os.environ | {"PORT": str(lab.port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert f"\n{outcome} in" in done.stdout, done.stdout
