"""The question groups: what a server is configured for is accepted, and nothing else."""

from __future__ import annotations

import pytest

from tests.servers.catalogue import running
from tests.servers.gate import require

from .asking import questioned

USUAL = {"x25519", "x448", "secp256r1", "secp384r1", "secp521r1"}


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "expected"),
    [("nginx-x448", {"x448"}), ("mlkem", {"X25519MLKEM768"}), ("nginx-b", USUAL)],
)
def test_the_groups_of_real_servers(name: str, expected: set[str]) -> None:
    require(name)
    with running(name) as server:
        answer = questioned(server.port, "groups").answers.groups
    assert answer is not None
    assert answer.state == "complete"
    newest = next(version for version in answer.versions if version.version == "TLS 1.3")
    assert {group.name for group in newest.groups if not group.name.startswith("ffdhe")} == expected
