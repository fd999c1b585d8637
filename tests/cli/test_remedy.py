"""``tlswire remedy``, and ``tlswire check --fix``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.run import refused, run
from tests.servers import sites
from tests.servers.gate import require
from tests.servers.process import serving
from tlswire.policy import remedies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.process import Server


def test_without_arguments_it_lists_what_there_is() -> None:
    out = run("remedy").out
    assert all(f"  {name} " in out for name in (*remedies.FIXES, *remedies.products()))


def test_a_fix_is_told_for_every_product() -> None:
    lines = run("remedy", "ems").lines
    assert [line for line in lines if line.endswith(": extended master secret in TLS 1.2")] == [
        f"{product.title}: extended master secret in TLS 1.2" for product in remedies.products().values()
    ]


def test_a_rule_stands_for_its_fix() -> None:
    out = run("remedy", "ems-tls12", "--for", "nginx").out
    assert out.startswith("nginx: extended master secret in TLS 1.2\n  for: ems-tls12\n")
    assert "\n    ssl_conf_command Options ExtendedMasterSecret;\n" in out


def test_a_product_alone_tells_all_its_fixes() -> None:
    out = run("remedy", "--for", "go").out
    assert all(f"Go (crypto/tls): {text}\n" in out for text in remedies.FIXES.values())


def test_what_is_pasted_keeps_its_tabs_and_backslashes() -> None:
    assert "\n    \ttls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,\n" in run("remedy", "suites", "--for", "go").out
    assert r"https://\1 if { ssl_fc }" in run("remedy", "redirect", "--for", "haproxy").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "'nothing': no such fix, and no rule of apple-mdm-27; fixes are versions, suites,"),
        (["ems", "--for", "nginz"], "'nginz': no such product; there are apache, caddy, f5,"),
        (["nodes-agree"], "'nodes-agree': nothing to paste; the remedy: Give every node"),
        (["suite-ats"], "'suite-ats': no such fix, and no rule of apple-mdm-27;"),
        (["ems-tls12", "--policy", "nothing"], "'nothing': is no policy; shipped are apple-"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(arguments: list[str], said: str) -> None:
    assert refused(run("remedy", *arguments)).startswith(said)


def test_an_unknown_product_is_refused_before_anything_is_asked() -> None:
    assert refused(run("check", "127.0.0.1:1", "--fix", "nginz")).startswith("'nginz': no such product; there are")


@pytest.fixture(scope="module")
def old() -> Iterator[Server]:
    require("nginx-b")
    with serving("nginx", sites.alone(sites.nginx, "rsa2048", versions=("TLSv1.2",))) as server:
        yield server


def checked(server: Server, *options: str) -> tuple[str, dict[str, object]]:
    target = f"localhost:{server.port}"
    (verdict,) = [json.loads(run("check", target, "--json", "-", *options).raw)]
    return run("check", target, *options).out, verdict


@pytest.mark.stacks
def test_what_to_paste_is_told_when_asked_for(old: Server) -> None:
    text, verdict = checked(old)
    assert verdict["fixes"] == []
    assert "--fix PRODUCT tells what to paste" in text
    text, verdict = checked(old, "--fix", "haproxy")
    assert {(fix["product"], fix["fix"]) for fix in verdict["fixes"]} >= {("haproxy", "versions")}  # type: ignore[attr-defined]  # JSON
    assert "\n    ssl-default-bind-options ssl-min-ver TLSv1.2\n" in text
    assert f"; tlswire check localhost:{old.port}\n" in text


@pytest.mark.stacks
def test_auto_is_what_the_server_says_it_is(old: Server) -> None:
    text, verdict = checked(old, "--fix", "auto")
    assert "\n    ssl_protocols TLSv1.2 TLSv1.3;\n" in text
    assert "the server says it is nginx: where TLS ends in front of it, name that to --fix" in text
    text, verdict = checked(old, "--fix", "auto", "--no-http")
    assert verdict["fixes"] == []
    assert "the server does not say what it is: name it (apache, caddy," in text
