"""The scanner against real servers: its sets must be the oracle's, nothing missing and nothing extra."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.servers.catalogue import ROWS, Counts, running
from tests.servers.gate import require
from tests.servers.oracle import VERSIONS
from tests.servers.recipes import ALL_CIPHERS
from tlswire.scan.scanner import Options

from .scans import METHODS, Method, found, scan

if TYPE_CHECKING:
    from tlswire.results import Scan

pytestmark = pytest.mark.stacks

SSLV2 = 0x0002


def preferences(result: Scan) -> dict[str, str]:
    return {version.version: version.preference for version in result.versions}


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_the_sets_are_the_oracle_s(name: str) -> None:
    row = require(name)
    with running(name) as server:
        truth = row.oracle(server.address).truth()
        results = {method: scan(server.port, Options(method=method)) for method in METHODS}
    for method, result in results.items():
        got = found(result)
        for version, codes in truth.items():
            missing, extra = sorted(codes - got[version]), sorted(got[version] - codes)
            assert (missing, extra) == ([], []), (method, VERSIONS[version], result.notes)
        assert got[SSLV2] == frozenset()
        assert (result.complete, result.error, result.faults) == (True, None, []), (method, result.notes)
    if row.truth is not None:
        assert Counts(*(len(found(results["each"])[version]) for version in VERSIONS)) == row.truth


@pytest.mark.parametrize("method", METHODS)
def test_three_runs_are_the_same(method: Method) -> None:
    require("nginx-a")
    with running("nginx-a") as server:
        first, *others = (scan(server.port, Options(method=method, seed=seed)) for seed in (0, 0, 7))
    for other in others:
        assert found(other) == found(first)
        assert preferences(other) == preferences(first)
    assert set(preferences(first).values()) == {"client", "unknown"}


@pytest.mark.parametrize("method", METHODS)
def test_the_order_is_the_configured_one(method: Method) -> None:
    require("nginx-a-ordered")
    require("openssl-d")  # for its command line
    listed = subprocess.run(
        ["openssl", "ciphers", "-V", ALL_CIPHERS], capture_output=True, text=True, check=True
    ).stdout
    configured = [int("".join(pair), 16) for pair in re.findall(r"0x(\w\w),0x(\w\w) - ", listed)]
    with running("nginx-a-ordered") as server:
        result = scan(server.port, Options(method=method, versions=(0x0302, 0x0303)))
    for version in result.versions:
        assert version.preference == "server"
        order = [int(suite.code, 16) for suite in version.suites]
        assert order == [code for code in configured if code in order]


def test_eliminate_needs_few_connections() -> None:
    for name, most in (("nginx-a", 260), ("nginx-b", 25)):
        require(name)
        with running(name) as server:
            assert scan(server.port, Options(method="eliminate")).connections <= most
