"""Remedies: complete and consistent as data; and pasted into real servers that fail, which pass then."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from tests.policy import rows
from tests.policy.chains import made
from tests.policy.judging import judged
from tests.policy.minting import HOST as NAME
from tests.policy.pasting import local, paste
from tests.policy.servers import PROGRAMS
from tests.servers import recipes
from tests.servers.gate import require
from tests.servers.process import HOST, Launch, serving
from tests.servers.sites import ANYTHING, Site
from tlswire.errors import LookupFailedError
from tlswire.policy import remedies
from tlswire.policy.shipped import names, shipped
from tlswire.probe.transport import Address
from tlswire.report.verdict import render

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.process import Recipe
    from tlswire.results.verdict import Fix, Verdict

PRODUCTS = remedies.products()
PLAIN = "http://elsewhere.example/"
CBC = "ECDHE+AES+SHA1"
# A rule -> a site that breaks it, the chain it shows, and the fix that is told.
FAULTS: dict[str, tuple[Site, str, str]] = {
    "version-tls12": (Site(versions=("TLSv1.1",), ciphers=CBC), "sound", "versions"),
    "suite-fcp": (Site(versions=("TLSv1.2",), ciphers=CBC), "sound", "suites"),
    "group-offered": (Site(groups="X448"), "sound", "groups"),
    "ems-tls12": (Site(versions=("TLSv1.2",), ems=False), "sound", "ems"),
    "validity-now": (Site(), "expired", "certificate"),
    "chain-trusted": (Site(), "leaf-only", "chain"),
    "plaintext-redirect": (Site(redirect=PLAIN), "sound", "redirect"),
    "plaintext-http": (Site(), "", "https"),
}
# HAProxy has no switch for the extended master secret.
NOT_FOR = {"haproxy": "ems-tls12"}
PASTED = {
    (product, fixed) for product in PROGRAMS for rule, (*_, fixed) in FAULTS.items() if NOT_FOR.get(product) != rule
}
OTHERWISE = {
    ("openssl", "certificate"),
    *((name, fixed) for name in ("openssl", "java") for fixed in ("versions", "suites", "groups", "ems")),
    *((name, fixed) for name in ("gnutls", "go") for fixed in ("versions", "suites", "groups")),
}
# Tried with Debian's Caddy 2.6.2, which no test installs.
BY_HAND = {("caddy", fixed) for fixed in ("versions", "suites", "groups", "certificate", "chain", "redirect")}


# The data.


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_says_something_of_every_fix(name: str) -> None:
    product = PRODUCTS[name]
    assert list(product.fixes) == list(remedies.FIXES)
    assert all(header == header.lower() for header in product.servers)
    for fixed, entry in product.fixes.items():
        assert entry.text or entry.run or entry.note, fixed
        assert bool(entry.text) == bool(entry.where), fixed
        assert not entry.instead_of or entry.text, fixed
        assert (entry.text + entry.run).isascii()


@pytest.mark.parametrize("name", names())
def test_every_rule_names_a_fix_there_is(name: str) -> None:
    assert {rule.fix for rule in shipped(name).rules if rule.fix} <= set(remedies.FIXES)


def test_every_product_says_from_which_version_on_it_has_extended_master_secret() -> None:
    assert all(product.fixes["ems"].since for product in PRODUCTS.values())


def test_what_is_called_tested_is_tested() -> None:
    called = {
        (name, fixed)
        for name, product in PRODUCTS.items()
        for fixed, entry in product.fixes.items()
        if entry.verified == "tested"
    }
    assert called == PASTED | OTHERWISE | BY_HAND


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (["nginx/1.22.1"], "nginx"),
        (["Apache/2.4.62 (Debian)"], "apache"),
        (["Apache-Coyote/1.1"], "tomcat"),
        (["Microsoft-IIS/10.0"], "iis"),
        ([None, "BigIP"], "f5"),
        (["cloudflare"], None),
        ([None], None),
    ],
)
def test_the_server_header_names_the_product(headers: list[str | None], name: str | None) -> None:
    assert remedies.detected(headers) == name


def test_an_unknown_product_is_refused_with_those_there_are() -> None:
    with pytest.raises(LookupFailedError, match=r"no such product; there are apache, .*, tomcat"):
        remedies.choice("nginz")


# Real servers. One that fails gets what `check --fix` tells, exactly where it says, and passes.


class Sites:
    """One program with a site for each fault; ``told`` is what was pasted for each of them so far."""

    def __init__(self, product: str, folder: Path) -> None:
        self.product = product
        self.folder = folder
        self.told: dict[str, list[Fix]] = {rule: [] for rule in FAULTS if NOT_FOR.get(product) != rule}
        self.hosts = {rule: f"127.9.0.{at}" for at, rule in enumerate(self.told, 1)}
        for rule in self.told:
            provided(folder / rule)

    def recipe(self, folder: Path, port: int) -> Launch:
        placed = []
        for rule in self.told:
            site, chain, _ = FAULTS[rule]
            certs = (made(chain).written(self.folder / rule, "old"),) if chain else ()
            if site.redirect and self.product != "haproxy":
                # nginx and httpd are told what to do about those behind them.
                site = Site(behind=f"http://{HOST}:{port}/")
            placed.append((replace(site, certs=certs), self.hosts[rule], port))
        # The last is the one that is waited for, and the one behind.
        launch = PROGRAMS[self.product][1](folder, [*placed, (Site(redirect=PLAIN), HOST, port)])
        (config,) = (path for path in folder.iterdir() if str(path) in launch.argv)
        lines = config.read_text().splitlines()
        for rule, fixes in self.told.items():
            for fix in fixes:
                lines = paste(fix, lines, self.folder / rule, self.hosts[rule], port)
        config.write_text("\n".join(lines) + "\n")
        return launch

    def round(self) -> dict[str, Verdict]:
        """The sites checked, with what else there is to paste."""
        with serving(self.product, self.recipe) as server:
            return {rule: checked(host, server.port, self.product) for rule, host in self.hosts.items()}


def provided(folder: Path) -> None:
    """The files that remedies speak of, in ``folder``, as if from the CA."""
    folder.mkdir()
    leaf = made("sound").written(folder, "sound")
    certificate, *others = re.findall(r"-----BEGIN.*?-----END [A-Z ]*-----\n", leaf.cert.read_text(), re.DOTALL)
    files = {"cert": certificate, "intermediate": "".join(others), "fullchain": certificate + "".join(others)}
    for name, text in {**files, "key": leaf.key.read_text()}.items():
        (folder / f"{name}.pem").write_text(text)


def checked(host: str, port: int, product: str) -> Verdict:
    verdict = judged(rows.row("remedy", rows.nginx(), "sound"), [Address(host, port)])
    return remedies.with_fixes(verdict, product)


def broken(verdict: Verdict) -> set[str]:
    return {rule.id for rule in verdict.rules if rule.verdict == "fail"}


@pytest.mark.stacks
@pytest.mark.parametrize("product", PROGRAMS)
def test_a_failing_server_passes_with_what_was_told_pasted(product: str, tmp_path: Path) -> None:
    require(PROGRAMS[product][0])
    sites = Sites(product, tmp_path)
    first = sites.round()
    for rule, verdict in first.items():
        assert rule in broken(verdict), render(verdict)
        assert FAULTS[rule][2] in {fix.fix for fix in verdict.fixes}, render(verdict)
        sites.told[rule] += verdict.fixes
    # What stands behind a handshake that failed is seen after it.
    second = sites.round()
    for rule, verdict in second.items():
        assert not broken(verdict), render(verdict)
        # What was pasted did all it is for: none is told again.
        assert not {fix.fix for fix in verdict.fixes} & {fix.fix for fix in sites.told[rule]}, render(verdict)
        sites.told[rule] += verdict.fixes
    for verdict in sites.round().values():
        assert verdict.verdict == "pass", render(verdict)


TLS = ("versions", "suites", "groups", "ems")


def text(product: str, fixed: str) -> str:
    return remedies.fix(product, fixed).text


def served(product: str, *made_by: Recipe) -> list[Verdict]:
    found = []
    for recipe in made_by:
        with serving(product, recipe) as server:
            found.append(checked(HOST, server.port, product))
    return found


def warned(verdict: Verdict) -> set[str]:
    return {rule.id for rule in verdict.rules if rule.verdict == "warn"}


@pytest.mark.stacks
def test_openssl_passes_with_its_file_changed(tmp_path: Path) -> None:
    require("openssl-d")
    leaf = made("sound").written(tmp_path, "sound")
    wrong = ("Protocol = TLSv1.2", "CipherString = ECDHE+AES+SHA1", "Groups = X448", "Options = -ExtendedMasterSecret")

    def recipe(*fixed: str, more: tuple[str, ...] = ()) -> Recipe:
        lines = [line if line.startswith(("[", "openssl_conf")) else f"    {line}" for line in ANYTHING.splitlines()]
        lines += (f"    {line}" for line in more)
        for name in fixed:
            lines = paste(remedies.fix("openssl", name), lines, tmp_path, HOST, 0)

        def make(folder: Path, port: int) -> Launch:
            (folder / "openssl.cnf").write_text("\n".join(lines) + "\n")
            launch = recipes.openssl_s_server(certs=(leaf,))(folder, port)
            return Launch(launch.argv, {"OPENSSL_CONF": str(folder / "openssl.cnf")})

        return make

    failing, passing = served("openssl", recipe(more=wrong), recipe(*TLS, more=wrong))
    assert broken(failing), render(failing)
    assert passing.verdict == "pass", render(passing)
    # Suites that old versions do not have would hide those.
    permissive, newer = served("openssl", recipe(), recipe("versions"))
    assert "version-old" in warned(permissive) - warned(newer), render(newer)


def test_the_request_that_openssl_makes_is_for_the_host(tmp_path: Path) -> None:
    fix = remedies.fix("openssl", "certificate", host=NAME)
    for command in (fix.run, fix.text):
        subprocess.run(["sh", "-c", local(command, tmp_path)], check=True, capture_output=True)
    request = x509.load_pem_x509_csr((tmp_path / "request.pem").read_bytes())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    assert request.is_signature_valid


@pytest.mark.stacks
def test_java_passes_with_its_options_changed(tmp_path: Path) -> None:
    require("jsse")
    leaf = made("sound").written(tmp_path, "sound")
    wrong = {
        "jdk.tls.server.protocols": "TLSv1.2",
        "jdk.tls.server.cipherSuites": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "jdk.tls.namedGroups": "x448",
        "jdk.tls.useExtendedMasterSecret": "false",
    }
    right = dict(text("java", fixed).removeprefix("-D").split("=") for fixed in TLS)
    assert right.keys() == wrong.keys()
    failing, passing = served("java", recipes.jsse(wrong, (leaf,)), recipes.jsse(right, (leaf,)))
    assert broken(failing), render(failing)
    assert passing.verdict == "pass", render(passing)


@pytest.mark.stacks
def test_gnutls_passes_with_its_priorities_changed(tmp_path: Path) -> None:
    require("gnutls")
    leaf = made("sound").written(tmp_path, "sound")
    (right,) = {text("gnutls", fixed) for fixed in TLS[:3]}
    wrong = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.1:-CIPHER-ALL:+AES-128-CBC"
    failing, passing = served("gnutls", recipes.gnutls(wrong, certs=(leaf,)), recipes.gnutls(right, certs=(leaf,)))
    assert "suite-fcp" in broken(failing), render(failing)
    assert passing.verdict == "pass", render(passing)


@pytest.mark.stacks
def test_go_warns_of_less_with_its_config_changed(tmp_path: Path) -> None:
    require("go")
    leaf = made("sound").written(tmp_path, "sound")
    source = (recipes.SOURCES / "main.go").read_text()
    start, end = source.index("\tfor _, suite"), source.index("\tfor files")
    oldest = "MinVersion: tls.VersionTLS10"
    changed = {
        "newer": source.replace(oldest, f"\n{text('go', 'versions')}\n"),
        "all": (source[:start] + source[end:]).replace(
            oldest, "\n" + "\n".join(text("go", name) for name in TLS[:3]) + "\n"
        ),
    }
    for name, lines in changed.items():
        (tmp_path / f"{name}.go").write_text(lines)
    written = (tmp_path / f"{name}.go" for name in changed)
    permissive, newer, passing = served(
        "go", recipes.go(certs=(leaf,)), *(recipes.go(path, certs=(leaf,)) for path in written)
    )
    assert warned(permissive) >= {"version-old", "suite-extra"}, render(permissive)
    assert "version-old" not in warned(newer), render(newer)
    # Debian's Go is older than 1.21.
    assert warned(passing) <= {"ems-forced"}, render(passing)
    assert not broken(passing), render(passing)
