"""The property test of docs/fuzz.md runs as printed: it passes where a server keeps its word, and fails where one does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tlswire.lab.server import running

TEXT = (Path(__file__).parents[2] / "docs" / "fuzz.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("character", "outcome"),
    [("modern", "2 passed"), ("version-intolerant", "1 failed, 1 passed")],
    ids=["a good one", "one that refuses newer versions"],
)
def test_the_printed_property_test_judges_a_server(character: str, outcome: str, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_my_server.py").write_text(code, encoding="utf-8")
    with running(character) as lab:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_server.py"],
            cwd=tmp_path,
            env=os.environ | {"PORT": str(lab.port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert f"\n{outcome} in" in done.stdout, done.stdout
