from __future__ import annotations

import asyncio
import inspect
import json
import random
from pathlib import Path

import pytest

import tlswire
from tests.report.made import capture
from tlswire.lab.server import running
from tlswire.results import SCHEMAS, json_schema

SCHEMA_FILES = Path(__file__).parent.parent / "docs" / "schemas"
OPTIONS = tlswire.Options(method="eliminate", versions=(0x0303, 0x0304))


def test_every_public_name_resolves_and_says_what_it_is() -> None:
    for name in tlswire.__all__:
        value = getattr(tlswire, name)
        if name != "__version__":
            assert inspect.getdoc(value), name


def test_names_stay_what_they_are_after_submodules_are_loaded() -> None:
    assert callable(tlswire.scan_host)
    assert callable(tlswire.exchange)


def test_hello_out_flight_in() -> None:
    hello = tlswire.client_hello(0x0303, (0x002F,), rng=random.Random(1), shape=tlswire.Shape(server_name=b"localhost"))
    with running("legacy-mdm") as lab:
        answer = tlswire.exchange("127.0.0.1", lab.port, hello)
        again = asyncio.run(tlswire.exchange_async("127.0.0.1", lab.port, hello))
    assert answer.hello is not None
    assert answer.hello.suite == 0x002F
    assert [message.type for message in answer.messages][-1] == 14  # ServerHelloDone
    assert again.hello == answer.hello or again.kind == answer.kind


def test_a_host_is_judged() -> None:
    with running("legacy-mdm") as lab:
        one = tlswire.check_host("127.0.0.1", lab.port, http=False)
        other = asyncio.run(tlswire.check_host_async("127.0.0.1", lab.port, http=False))
    assert one.verdict == other.verdict == "fail"
    assert "suite-fcp" in {rule.id for rule in one.rules if rule.verdict == "fail"}
    assert tlswire.check_host("nohost.invalid").error is not None


def test_scan_sync_and_async_agree() -> None:
    # A lab each: one that hears a hello again answers it with another random.
    with running("modern") as lab, running("modern") as again:
        one = tlswire.scan_host("127.0.0.1", lab.port, OPTIONS)
        other = asyncio.run(tlswire.scan_host_async("127.0.0.1", again.port, OPTIONS))
    assert one.complete
    assert [version.suites for version in one.versions] == [version.suites for version in other.versions]


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schemas_are_those_in_force(name: str) -> None:
    published = SCHEMA_FILES / f"{name.replace('/', '-')}.json"
    assert json.loads(published.read_text(encoding="utf-8")) == json_schema(name)


def test_no_schema_is_published_that_is_not_in_force() -> None:
    assert {path.name for path in SCHEMA_FILES.iterdir()} == {f"{name.replace('/', '-')}.json" for name in SCHEMAS}


def test_sessions_of_a_path_and_of_a_file_are_streamed(tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    path.write_bytes(capture())
    found = tlswire.sessions(path)
    first = next(found)
    assert (first.server_name, first.capture, first.outcome) == ("www.example.com", str(path), "alert")
    assert [session.server_name for session in found] == ["api.example.org"]
    assert [session.first_frame for session in tlswire.sessions(str(path))] == [1, 9]
    with path.open("rb") as file:
        assert [session.first_frame for session in tlswire.sessions(file)] == [1, 9]
        assert not file.closed


def test_what_is_no_capture_is_an_exception_with_fields(tmp_path: Path) -> None:
    with pytest.raises(tlswire.UsageError, match="No such file") as caught:
        next(tlswire.sessions(tmp_path / "missing"))
    assert caught.value.what == str(tmp_path / "missing")
