"""The oracle against every server: what the scanner is measured by has to be right first."""

from __future__ import annotations

import pytest

from .catalogue import ROWS, Counts, running
from .gate import require
from .oracle import VERSIONS

pytestmark = pytest.mark.stacks

WITH_TRUTH = [row.name for row in ROWS if row.truth is not None]
WITHOUT = [row.name for row in ROWS if row.truth is None]

# AES-GCM and AES-CBC with every common key exchange: no TLS 1.2 server here lacks them all.
COMMON = {0x0303: (0xC02F, 0xC030, 0x009E, 0x009C, 0xC013, 0x002F), 0x0304: (0x1301, 0x1302, 0x1303)}


@pytest.mark.parametrize("name", WITH_TRUTH)
def test_oracle_finds_what_the_server_accepts(name: str) -> None:
    row = require(name)
    with running(name) as server:
        found = row.oracle(server.address).truth()
    assert Counts(*(len(found[version]) for version in VERSIONS)) == row.truth


@pytest.mark.parametrize("name", WITHOUT)
def test_server_without_a_number_answers(name: str) -> None:
    row = require(name)
    with running(name) as server:
        oracle = row.oracle(server.address)
        assert any(oracle.pick(version, suites) for version, suites in COMMON.items())
