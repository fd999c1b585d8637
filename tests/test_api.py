from __future__ import annotations

import asyncio
import inspect
import json
import random
from pathlib import Path

import tlswire
from tlswire.lab.server import running
from tlswire.results import json_schema

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


def test_scan_sync_and_async_agree() -> None:
    with running("modern") as lab:
        one = tlswire.scan_host("127.0.0.1", lab.port, OPTIONS)
        other = asyncio.run(tlswire.scan_host_async("127.0.0.1", lab.port, OPTIONS))
    assert one.complete
    assert [version.suites for version in one.versions] == [version.suites for version in other.versions]


def test_the_published_schema_is_the_one_in_force() -> None:
    published = Path(__file__).parent.parent / "docs" / "schemas" / "tlswire.scan-1.json"
    assert json.loads(published.read_text(encoding="utf-8")) == json_schema("tlswire.scan/1")
