"""The scanner against what stands in front of real servers, and against servers that are wrong on purpose."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest import mock

import msgspec
import pytest

from tests.servers import bad_servers
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.proxies import close_many_suites, delay, drop_large, rate_limit, tarpit
from tlswire.scan.scanner import Options

from .scans import METHODS, Method, found, scan, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.listener import Listener
    from tests.servers.process import Server
    from tlswire.results import Scan

pytestmark = pytest.mark.stacks

ALL_OF_A = 106


@pytest.fixture(scope="module")
def nginx() -> Iterator[Server]:
    require("nginx-a")
    with running("nginx-a") as server:
        yield server


@pytest.fixture(scope="module")
def plainly(nginx: Server) -> Scan:
    """What the server accepts with nothing in front of it."""
    result = scan(nginx.port, Options())
    assert sum(len(codes) for codes in found(result).values()) == ALL_OF_A
    return result


@pytest.mark.parametrize("method", METHODS)
def test_large_hellos_are_dropped(nginx: Server, plainly: Scan, method: Method) -> None:
    with drop_large(nginx.port, 512) as proxy:
        result = scan(proxy.port, Options(method=method))
    assert found(result) == found(plainly)
    assert result.complete
    assert method == "each" or result.notes


@pytest.mark.parametrize("method", METHODS)
def test_long_lists_are_closed(nginx: Server, plainly: Scan, method: Method) -> None:
    with close_many_suites(nginx.port, 128) as proxy:
        result = scan(proxy.port, Options(method=method))
    assert found(result) == found(plainly)
    assert result.complete
    assert method == "each" or result.notes


def test_a_rate_limit_and_few_connections(nginx: Server, plainly: Scan) -> None:
    with rate_limit(nginx.port, 20) as proxy:
        result = scan(proxy.port, Options(method="eliminate"))
    assert found(result) == found(plainly)
    assert result.complete
    assert any("connections a second" in note for note in result.notes)
    # What the limit admits in twelve seconds, and a few refused before it was known; the wall clock is bench's matter.
    assert result.connections <= 300
    assert result.elapsed_s < 60


@pytest.mark.skipif(os.environ.get("TLSWIRE_SLOW") != "1", reason="takes 20 s: set TLSWIRE_SLOW=1")
def test_a_rate_limit_and_a_hello_for_every_pair(nginx: Server, plainly: Scan) -> None:
    # One version is as good as six, and takes a fifth of the time.
    with rate_limit(nginx.port, 20) as proxy:
        result = scan(proxy.port, Options(method="each", versions=(0x0303,)))
    assert found(result) == {0x0303: found(plainly)[0x0303]}
    assert result.complete
    assert any("connections a second" in note for note in result.notes)
    # 473 as a rule; where the machine pauses it looks like a refusal, and some forty are asked again.
    assert result.connections < 600
    assert result.elapsed_s < 60


@pytest.mark.parametrize("method", METHODS)
def test_a_tarpit_is_not_believed(nginx: Server, plainly: Scan, method: Method) -> None:
    limits = msgspec.structs.replace(Options().limits, timeout=1.0)
    with mock.patch("tlswire.scan.prober.PATIENCE", 2.0), tarpit(nginx.port, 100) as proxy:
        result = scan(proxy.port, Options(method=method, limits=limits))
    got, unsettled = found(result), unknown(result)
    for version, codes in found(plainly).items():
        assert got[version] <= codes
        assert codes - got[version] <= unsettled[version]
    assert any(got.values())
    assert any(unsettled.values())
    assert not result.complete
    assert any("silence" in note for note in result.notes)
    assert result.elapsed_s < 20


@pytest.mark.parametrize("method", METHODS)
def test_a_slow_path_costs_accuracy_nothing(nginx: Server, plainly: Scan, method: Method) -> None:
    with delay(nginx.port, 0.1) as proxy:
        result = scan(proxy.port, Options(method=method))
    assert found(result) == found(plainly)
    assert result.complete
    assert result.elapsed_s < 10


QUICKLY = Options(
    versions=(0x0301, 0x0303, 0x0304),
    suites=(0x0005, 0x002F, 0xC02F, 0x1301, 0x1302),
    limits=msgspec.structs.replace(Options().limits, timeout=1.0, deadline=20.0),
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("server", "error", "fault"),
    [
        (bad_servers.plain_http, "plain HTTP", ""),
        (bad_servers.closes_at_once, "ends every connection", ""),
        (bad_servers.silent, "says nothing", ""),
        (bad_servers.flood, "", "malformed"),
        (bad_servers.zero_record, "", "malformed"),
        (bad_servers.endless_message, "", "malformed"),
        (bad_servers.drip, "within the timeout", ""),
        (bad_servers.malformed_server_hello, "", "malformed"),
        (bad_servers.fragmented_alert, None, ""),
        (bad_servers.oversized_record, "", "malformed"),
        (bad_servers.unoffered_suite, None, "suite"),
        (bad_servers.unoffered_version, None, "version"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_bad_servers_are_a_finding_or_a_clear_error(
    server: Callable[[], Listener], error: str | None, fault: str, method: Method
) -> None:
    with server() as listener:
        result = scan(listener.port, msgspec.structs.replace(QUICKLY, method=method))
    assert result.elapsed_s < 21
    if error is None:
        assert (result.error, result.complete) == (None, True)
    else:
        assert error in (result.error or "")
        assert not result.complete
    kinds = {kind.kind for kind in result.faults}
    assert fault in kinds if fault else not kinds
    if fault:
        assert result.findings[0].category == "fault"
    if server is not bad_servers.unoffered_suite:
        assert not any(found(result).values()) or fault == "version"
