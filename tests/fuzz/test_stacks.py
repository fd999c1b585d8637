"""The catalogue against real stacks, two at a time: what is found is found again, and a stack is known by it."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.servers import recipes
from tests.servers.catalogue import ECDHE_GCM, Row, available
from tests.servers.process import serving
from tests.servers.stacks import BY_STACK
from tests.survey import fuzzed, once
from tlswire.fuzz.compare import distance, vector
from tlswire.fuzz.confirm import QUORUM
from tlswire.fuzz.stacks import known, nearest

if TYPE_CHECKING:
    from tlswire.results.fuzz import Fuzz

pytestmark = pytest.mark.stacks

# Eleven implementations, three versions of OpenSSL; each runs once, those in AGAIN twice.
NAMES = (
    *(
        "jsse-steady",
        "erlang",
        "openssl",
        "gnutls-normal",
        "botan",
        "lighttpd-mbedtls",
        "lighttpd-nss",
        "lighttpd-wolfssl",
    ),
    *("lighttpd-gnutls", "tlslite-alpn", "go", "granian", "nginx-b", "haproxy", "apache", "pyopenssl"),
)
AGAIN = ("nginx-b", "go", "granian", "lighttpd-wolfssl")


def there(name: str) -> bool:
    reason = available(BY_STACK[name].row)
    if reason is not None and os.environ.get("TLSWIRE_REQUIRE_STACKS") == "1":
        pytest.fail(f"{name}: {reason}")
    return reason is None


@pytest.fixture(scope="module")
def results() -> dict[str, list[Fuzz]]:
    names = [name for name in (*NAMES, *AGAIN) if there(name)]
    if not names:
        pytest.skip("no stack is installed")
    # Processes of their own: two campaigns in one would measure each other's interpreter.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found: dict[str, list[Fuzz]] = {}
        for name, result in zip(names, pool.map(once, names), strict=True):
            found.setdefault(name, []).append(result)
    return found


def deviations(result: Fuzz) -> set[tuple[str, str, str]]:
    return {(case.id, case.reaction, "; ".join(case.reasons)) for case in result.cases if case.verdict == "deviates"}


def test_every_stack_is_judged_whole(results: dict[str, list[Fuzz]]) -> None:
    for name, runs in results.items():
        for run in runs:
            assert run.error is None, name
            assert sum(case.verdict in {"conforms", "deviates"} for case in run.cases) > 200, name


def test_nothing_is_flaky_and_every_deviation_was_seen_three_times(results: dict[str, list[Fuzz]]) -> None:
    unknown = {
        name: [(case.id, case.reasons) for run in runs for case in run.cases if case.verdict == "unknown"]
        for name, runs in results.items()
    }
    assert {name: cases for name, cases in unknown.items() if cases} == {}
    for name, runs in results.items():
        for run in runs:
            assert all(case.repeated >= QUORUM for case in run.cases if case.verdict == "deviates"), name
            assert run.complete, name


def test_a_second_run_finds_the_same(results: dict[str, list[Fuzz]]) -> None:
    for name in AGAIN:
        if name in results:
            first, second = results[name]
            assert deviations(first) == deviations(second), name
            share = distance(vector(first), vector(second))
            assert share is not None, name
            assert share < 0.01, name  # where no clause decides, a race may end either way


def test_every_stack_is_known_by_its_reactions(results: dict[str, list[Fuzz]]) -> None:
    for name, runs in results.items():
        stack = BY_STACK[name]
        if not any((one.implementation, one.version) == (stack.implementation, stack.version()) for one in known()):
            continue  # another version than was surveyed
        first = nearest(vector(runs[0]))[0]
        assert (first.implementation, first.near) == (stack.implementation, True), name


def test_an_nginx_as_none_was_surveyed_is_named_openssl() -> None:
    unseen = recipes.nginx(protocols="TLSv1.2 TLSv1.3", ciphers=ECDHE_GCM, certs=("p256",), groups="P-256:X25519")
    row = Row("nginx-unseen", "nginx (OpenSSL)", "apt:nginx-light", BY_STACK["nginx-b"].row.needs, unseen)
    if available(row) is not None:
        pytest.skip("no nginx")
    with serving(row.name, row.recipe) as server:
        first = nearest(vector(fuzzed(server.port)))[0]
    assert (first.implementation, first.near) == ("OpenSSL", True)
