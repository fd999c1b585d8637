"""Account-driven enrollment: real web servers on loopback, followed as a device does it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.certificates.mint import dns
from tests.cli.run import run
from tests.policy.minting import DAY, Chain, middle, own, root, span
from tests.servers.gate import require
from tests.servers.process import HOST, Launch, serving
from tests.servers.recipes import nginx_with
from tlswire.check.discovery import MAX_HOPS, Discovery, _clean, discover, url_of
from tlswire.check.plan import Plan
from tlswire.errors import UsageError
from tlswire.policy.shipped import shipped
from tlswire.probe.transport import Address
from tlswire.scan.trust import public_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WELL_KNOWN = "/.well-known/com.apple.remotemanagement"
DOMAIN = "example.test"
GOOD = {"Servers": [{"Version": "mdm-byod", "BaseURL": "https://mdm.example.test:{port}/enroll?x=1"}]}

# A domain for each thing that can be wrong: what nginx says of it below the well-known path.
SITES = {
    "good": "default_type application/json; return 200 '{good}';",
    "moved": "return 302 https://good.example.test:{port}$request_uri;",
    "gone": "return 404;",
    "text": "default_type text/plain; return 200 '{good}';",
    "charset": "default_type \"Application/JSON; charset=utf-8\"; return 200 '{good}';",
    "html": 'default_type application/json; return 200 "<html>";',
    "empty": "default_type application/json; return 200 '{{\"Servers\":[]}}';",
    "list": 'default_type application/json; return 200 "[1]";',
    "deep": 'default_type application/json; return 200 "' + "[" * 1500 + '";',
    "other": 'default_type application/json; return 200 \'{{"Servers":[{{"Version":"mdm-x","BaseURL":"https://mdm.example.test:{port}"}}]}}\';',
    "plainbase": 'default_type application/json; return 200 \'{{"Servers":[{{"Version":"mdm-adde","BaseURL":"http://mdm.example.test"}}]}}\';',
    "odd": 'default_type application/json; return 200 \'{{"Servers":[1,{{"Version":2}},{{"Version":"mdm-byod","BaseURL":"https://[bad"}}]}}\';',
    "plain": "return 301 http://www.example.test/;",
    "circle": "return 302 https://circle.example.test:{port}$request_uri;",
    "forever": "return 302 https://forever.example.test:{port}$request_uri&again;",
    "nowhere": "return 302 https://nowhere.invalid/;",
    "script": 'return 302 "javascript:alert(1)";',
    "broken": 'return 302 "https://a b:x/";',
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """nginx with all sites, on one port."""
    require("nginx-b")
    folder = tmp_path_factory.mktemp("discovery")
    names = dns(DOMAIN, f"*.{DOMAIN}")
    dates: dict[str, Any] = {**span(dt.datetime.now(dt.UTC) - DAY, 90 * DAY)}
    leaf = Chain((own(middle(), names, **dates), middle()), root())
    files = leaf.written(folder, "leaf")

    def recipe(folder: Path, port: int) -> Launch:
        good = json.dumps(GOOD).replace("{port}", str(port))
        blocks = []
        for name, says in SITES.items():
            place = says.format(port=port, good=good)
            blocks.append(
                f"server {{ listen {HOST}:{port} ssl; server_name {name}.{DOMAIN}; ssl_certificate {files.cert};"
                f" ssl_certificate_key {files.key}; location = {WELL_KNOWN} {{ {place} }} }}\n"
            )
        blocks.append(
            f"server {{ listen {HOST}:{port} ssl; server_name mdm.{DOMAIN}; ssl_certificate {files.cert};"
            f" ssl_certificate_key {files.key}; return 200; }}\n"
        )
        return nginx_with(folder, "".join(blocks))

    with serving("nginx", recipe) as server:
        yield server.port


def followed(name: str, port: int) -> Discovery:
    hosts = [f"{site}.{DOMAIN}" for site in (*SITES, "mdm")]
    at = (Address(HOST, port),)
    resolve = {(host, where): at for host in hosts for where in (443, port)}
    plan = Plan(policy=shipped("apple-mdm-27"), public=public_store(), resolve=resolve)
    return asyncio.run(discover(f"user@{name}.{DOMAIN}", plan))


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "broken", "endpoints"),
    [
        ("good", set(), ["good", "mdm"]),
        ("charset", set(), ["charset", "mdm"]),
        ("moved", set(), ["moved", "good", "mdm"]),
        ("gone", {"discovery-status"}, ["gone"]),
        ("text", {"discovery-content-type"}, ["text", "mdm"]),
        ("html", {"discovery-json"}, ["html"]),
        ("empty", {"discovery-json"}, ["empty"]),
        ("list", {"discovery-json"}, ["list"]),
        ("deep", {"discovery-json"}, ["deep"]),
        ("other", {"discovery-version"}, ["other", "mdm"]),
        ("plainbase", {"plaintext-base-url"}, ["plainbase"]),
        ("odd", {"plaintext-base-url"}, ["odd"]),
        ("plain", {"plaintext-discovery"}, ["plain"]),
        ("circle", {"discovery-status"}, ["circle", "circle"]),
        ("forever", {"discovery-status"}, ["forever", "forever"]),
        ("script", {"discovery-status"}, ["script"]),
        ("broken", {"discovery-status"}, ["broken"]),
    ],
)
def test_the_document_is_judged_and_every_host_on_the_way_found(
    name: str, broken: set[str], endpoints: list[str], port: int
) -> None:
    found = followed(name, port)
    rules = {rule.id: rule for rule in found.verdict.rules}
    assert {rule.id for rule in rules.values() if rule.verdict == "fail"} == broken, found.verdict
    assert found.verdict.verdict == ("fail" if broken else "pass")
    assert [one.target.host.removesuffix(f".{DOMAIN}") for one in found.endpoints] == endpoints
    assert [one.role for one in found.endpoints] == [
        "enrollment-profile" if host == "mdm" else "well-known" for host in endpoints
    ]
    assert found.endpoints[0].path == f"{WELL_KNOWN}?user-identifier=user@{name}.{DOMAIN}"
    assert found.endpoints[-1].path == "/enroll?x=1" or endpoints[-1] != "mdm" or name == "other"
    assert 0 < len(found.verdict.http) <= MAX_HOPS
    assert found.verdict.connections == len(found.verdict.http)


@pytest.mark.stacks
def test_a_hop_that_cannot_be_reached_leaves_the_rest_unknown(port: int) -> None:
    found = followed("nowhere", port)
    assert found.verdict.verdict == "unknown"
    assert "discovery ends at https://nowhere.invalid/: nowhere.invalid: cannot be resolved" in str(found.verdict.error)
    assert [one.target.host for one in found.endpoints] == [f"nowhere.{DOMAIN}", "nowhere.invalid"]


@pytest.mark.stacks
def test_the_command_checks_every_server_on_the_way(port: int, tmp_path: Path) -> None:
    (tmp_path / "root.der").write_bytes(root().der)
    options = [item for at in (443, port) for item in ("--resolve", f"moved.{DOMAIN}:{at}:{HOST}")]
    options += [item for name in ("good", "mdm") for item in ("--resolve", f"{name}.{DOMAIN}:{port}:{HOST}")]
    outcome = run("check", "--account", f"user@moved.{DOMAIN}:{port}", *options, "--anchor", tmp_path / "root.der")
    assert outcome.code == 0, outcome
    heads = [line for line in outcome.lines if line.startswith(("PASS", "WARN", "FAIL", "UNKNOWN"))]
    assert [head.split()[1] for head in heads] == [
        f"moved.{DOMAIN}:{port}",
        f"moved.{DOMAIN}:{port}",
        f"good.{DOMAIN}:{port}",
        f"mdm.{DOMAIN}:{port}",
    ]


@pytest.mark.parametrize(
    "account", ["", "user", "@example.test", "user@", "us er@example.test", "user@exa mple", "a@b@"]
)
def test_what_is_no_account_is_refused(account: str) -> None:
    with pytest.raises(UsageError):
        url_of(account)


@pytest.mark.parametrize(
    ("account", "url"),
    [
        ("user@example.test", "https://example.test{}?user-identifier=user@example.test"),
        ("ü+x&y@exämple.test", "https://xn--exmple-cua.test{}?user-identifier=%C3%BC%2Bx%26y@ex%C3%A4mple.test"),
    ],
)
def test_what_a_device_asks_for(account: str, url: str) -> None:
    assert url_of(account) == url.format(WELL_KNOWN)


@pytest.mark.parametrize(
    "url",
    [
        "https://a\r\nX: y/",
        "https://u:p@host/ä?b c#d",
        "https://ho st/",
        "https:///x",
        "ftp://x/",
        "https://[::1",
        "//x/",
    ],
)
def test_urls_of_others_are_cleaned_or_refused(url: str) -> None:
    with contextlib.suppress(UsageError):
        cleaned = _clean(url)
        assert cleaned.startswith("https://")
        assert cleaned.isascii()
        assert cleaned.isprintable()
        assert not {" ", "#"} & set(cleaned)
        assert "u:p" not in cleaned
