"""Account-driven enrollment: real web servers on loopback, followed as a device does it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from tests.certificates.mint import dns
from tests.cli.run import run
from tests.policy.minting import DAY, Chain, middle, own, root, span
from tests.servers.gate import require
from tests.servers.process import HOST, Launch, serving
from tests.servers.recipes import nginx_with
from tests.servers.sites import Site, apache
from tlswire.check.discovery import MAX_HOPS, Discovery, _clean, discover, url_of
from tlswire.check.plan import Plan
from tlswire.errors import UsageError
from tlswire.policy.shipped import shipped
from tlswire.probe.transport import Address
from tlswire.report.verdict import render
from tlswire.results import to_json
from tlswire.scan.trust import public_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.certs import Leaf

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
def leaf(tmp_path_factory: pytest.TempPathFactory) -> Leaf:
    """The files of a certificate for the domain and all its hosts."""
    dates: dict[str, Any] = {**span(dt.datetime.now(dt.UTC) - DAY, 90 * DAY)}
    names = dns(DOMAIN, f"*.{DOMAIN}")
    chain = Chain((own(middle(), names, **dates), middle()), root())
    return chain.written(tmp_path_factory.mktemp("discovery"), "leaf")


@pytest.fixture(scope="module")
def port(leaf: Leaf) -> Iterator[int]:
    """nginx with all sites, on one port."""
    require("nginx-b")

    def recipe(folder: Path, port: int) -> Launch:
        good = json.dumps(GOOD).replace("{port}", str(port))
        blocks = []
        for name, says in SITES.items():
            place = says.format(port=port, good=good)
            blocks.append(
                f"server {{ listen {HOST}:{port} ssl; server_name {name}.{DOMAIN}; ssl_certificate {leaf.cert};"
                f" ssl_certificate_key {leaf.key}; location = {WELL_KNOWN} {{ {place} }} }}\n"
            )
        blocks.append(
            f"server {{ listen {HOST}:{port} ssl; server_name mdm.{DOMAIN}; ssl_certificate {leaf.cert};"
            f" ssl_certificate_key {leaf.key}; return 200; }}\n"
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
def test_apache_sends_devices_to_nginx(port: int, leaf: Leaf) -> None:
    require("apache")
    site = Site(certs=(leaf,), redirect=f"https://good.{DOMAIN}:{port}/")
    with serving("apache", lambda folder, at: apache(folder, [(site, HOST, at)])) as server:
        resolve = {(f"good.{DOMAIN}", port): (Address(HOST, port),), (DOMAIN, 443): (Address(*server.address),)}
        plan = Plan(policy=shipped("apple-mdm-27"), public=public_store(), resolve=resolve)
        found = asyncio.run(discover(f"user@{DOMAIN}", plan))
    assert found.verdict.verdict == "pass"
    assert [hop.status for hop in found.verdict.http] == [301, 200]
    assert [one.target.host for one in found.endpoints] == [DOMAIN, f"good.{DOMAIN}", f"mdm.{DOMAIN}"]


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (b"", "unknown", "no answer"),
        (b"garbage\r\n\r\n", "fail", "is no HTTP/1.1"),
        (OK + b"Content-Length: 99999999999\r\n\r\n" + b"[" * 3_000_000, "fail", "is no JSON"),
        (OK + b"\r\n" + b'{"Servers":' + b"[" * 60_000, "fail", "is no JSON"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "fail", "has no list of Servers"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "fail", "is no JSON"),
        (OK + b'\r\n{"Servers":[{"Version":"\x1b]0;x\x07","BaseURL":"https://\x1b[31m/"}]}', "fail", "is no JSON"),
        (OK + b'\r\n{"Servers":[{"Version":"\\u001b[31m","BaseURL":"https://\\u001b/"}]}', "fail", "is of version"),
        (OK + b"X: " + b"a" * 200_000 + b"\r\n\r\n", "fail", "is no HTTP/1.1"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://a\x1b[31m.example/\r\n\r\n", "fail", "status"),
        (b"HTTP/1.1 302 Found\r\nLocation: //\xff\xfe:99999/\r\n\r\n", "fail", "status 302"),
        (b"HTTP/1.1 302 Found\r\n\r\n", "fail", "status 302"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "fail", "is no HTTP/1.1"),
    ],
)
def test_hostile_answers_are_told_in_words(answer: bytes, verdict: str, said: str, leaf: Leaf) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(leaf.cert, leaf.key)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

    async def run() -> Discovery:
        server = await asyncio.start_server(handler, HOST, 0, ssl=context)
        async with server:
            at = Address(HOST, server.sockets[0].getsockname()[1])
            resolve = {(DOMAIN, 443): (at,)}
            plan = Plan(policy=shipped("apple-mdm-27"), public=public_store(), resolve=resolve)
            return await discover(f"user@{DOMAIN}", plan)

    found = asyncio.run(run()).verdict
    text = render(found, verbose=True)
    assert found.verdict == verdict, text
    assert said in " ".join(text.split())
    assert all(line.isprintable() for line in text.splitlines())
    assert len(to_json(found)) < 100_000


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
